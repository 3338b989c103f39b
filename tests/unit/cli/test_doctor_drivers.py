"""What ``doctor`` says of drivers and of the registry."""

from __future__ import annotations

import asyncio
import socket

from bluegreen.cli.driver_findings import drivers, registry


def test_each_kind_of_driver_is_listed_with_who_brought_it() -> None:
    found = {row.what: row for row in drivers()}
    assert set(found) == {"runtimes", "balancers", "registries", "journals"}
    assert all(row.level == "ok" for row in found.values())
    assert "consul (bluegreen " in found["registries"].detail


def test_a_registry_that_is_not_there_is_bad_and_says_what_to_do() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"consul://127.0.0.1:{held.getsockname()[1]}"
        (row,) = asyncio.run(registry(url))
    assert row.level == "bad"
    assert "does not answer" in row.detail


def test_an_unknown_driver_and_a_bad_option_are_named() -> None:
    (unknown,) = asyncio.run(registry("etcd://127.0.0.1:2379"))
    assert (unknown.level, "etcd" in unknown.detail) == ("bad", True)
    (refused,) = asyncio.run(registry("consul://127.0.0.1:8500?deadline=soon"))
    assert (refused.level, "consul" in refused.detail) == ("bad", True)
