"""Consul that refuses, has no leader, or is none: every answer becomes an error that says what to do."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary
from bluegreen.drivers.registries.consul import ConsulRegistry, Options, diagnose, open_registry
from bluegreen.testing.registry_contract import STACK, announcement, names
from tests.docs.pages import ROOT, blocks
from tests.support.consul_program import Consul, a_consul
from tests.support.mean_servers import Serve, listen, saying
from tests.support.waiting import until

MASTER = "5e1f0f2b-3f86-4f0d-9d3b-1c2d3e4f5a6b"
ACLS = {
    "enabled": True,
    "default_policy": "deny",
    "tokens": {"master": MASTER, "agent": MASTER},
}


def with_server(serve: Serve, scenario: Callable[[ConsulRegistry, Options], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), await listen(serve) as server:
            port = server.sockets[0].getsockname()[1]
            options = Options(address=f"127.0.0.1:{port}", deadline=5.0)
            async with open_registry(options) as registry:
                await scenario(registry, options)

    asyncio.run(main())


def http(status: str, body: bytes, head: str = "", length: int | None = None) -> bytes:
    told = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {told}\r\n{head}\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http("500 Internal Server Error", b"No cluster leader"), "registry_down"),
        (http("429 Too Many Requests", b""), "registry_down"),
        (http("200 OK", b"<html>a captive portal</html>"), "registry_down"),
        (http("200 OK", b"[1, 2"), "registry_down"),
        (http("200 OK", b'"text"'), "registry_down"),
        (http("200 OK", b"[", length=100), "registry_down"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "registry_down"),
        (b"", "registry_down"),
        (http("404 Not Found", b"no such page"), "registry_refused"),
        (http("302 Found", b"", "Location: http://127.0.0.1:1/\r\n"), "registry_refused"),
        (http("403 Forbidden", b"Permission denied"), "registry_refused"),
    ],
    ids=[
        "no leader",
        "too many requests",
        "no json",
        "half json",
        "other json",
        "truncated",
        "not http",
        "nothing",
        "not found",
        "redirect",
        "forbidden",
    ],
)
def test_every_bad_answer_is_an_error_with_a_hint(answer: bytes, code: str) -> None:
    async def scenario(registry: ConsulRegistry, options: Options) -> None:
        for call in (
            registry.list(STACK),
            registry.announce(STACK, (announcement(1),)),
            registry.write(STACK, "structure", "{}", 0),
            registry.report(STACK, "boxes/one", "here"),
        ):
            with pytest.raises(BluegreenError) as told:
                await call
            assert (type(told.value), told.value.code) == (
                Temporary if code == "registry_down" else Permanent,
                code,
            )
            assert told.value.hint
            assert told.value.evidence
        assert not all(well for _, well, _ in await diagnose(options))

    with_server(saying(answer), scenario)


def test_changes_survive_errors_and_an_index_that_goes_back() -> None:
    asked: list[int] = []
    told = iter([7, 9, 3, None, 4])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "/catalog/services" not in head:
            await reader.read()
            return
        found = re.search(r"index=(\d+)", head)
        asked.append(int(found[1]) if found else 0)
        index = next(told, "end")
        if index == "end":
            await reader.read()
        elif index is None:
            writer.write(http("500 Internal Server Error", b"No cluster leader"))
        else:
            writer.write(http("200 OK", b"{}", f"X-Consul-Index: {index}\r\nConnection: close\r\n"))
        await writer.drain()

    async def scenario(registry: ConsulRegistry, _: Options) -> None:
        yields = 0

        async def follow() -> None:
            nonlocal yields
            async for _ in registry.changes(STACK):
                yields += 1

        following = asyncio.create_task(follow())
        await until(lambda: len(asked) == 6 and yields >= 2)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        # From the start, on, on, back to the start after 3 < 9, and after the error.
        assert asked == [0, 7, 9, 0, 0, 4]

    with_server(serve, scenario)


def test_rights_are_refused_and_those_of_the_manual_suffice() -> None:
    async def main() -> None:
        with a_consul(acl=ACLS) as consul:
            await consul.until_ready(MASTER)
            for options in (
                Options(address=consul.address),
                Options.model_validate(
                    {"address": consul.address, "token": "5e1f0f2b-0000-4f0d-9d3b-1c2d3e4f5a6b"}
                ),
            ):
                await _is_refused(options)
            await _works(
                Options.model_validate({"address": consul.address, "token": await _documented(consul)})
            )

    asyncio.run(main())


async def _documented(consul: Consul) -> str:
    """Return a token with the policy of docs/howto/consul.md, and nothing else."""
    (rules,) = blocks(ROOT / "docs" / "howto" / "consul.md", "hcl")
    policy = {"Name": "bluegreen", "Rules": rules}
    await consul.ask("PUT", "acl/policy", policy, token=MASTER)
    made = await consul.ask("PUT", "acl/token", {"Policies": [{"Name": "bluegreen"}]}, token=MASTER)
    return str(made["SecretID"])


async def _is_refused(options: Options) -> None:
    async with open_registry(options) as registry:
        for call in (
            registry.announce(STACK, (announcement(1),)),
            registry.write(STACK, "structure", "{}", None),
            registry.report(STACK, "boxes/one", "here"),
        ):
            with pytest.raises(Permanent) as told:
                await call
            assert told.value.code == "registry_refused"
            assert "service_prefix" in told.value.hint
    assert any(not well and "service_prefix" in more for _, well, more in await diagnose(options))


async def _works(options: Options) -> None:
    async with open_registry(options) as registry:
        await registry.announce(STACK, (replace(announcement(1), draining=True), announcement(2)))
        await registry.write(STACK, "structure", "{}", 0)
        await registry.report(STACK, "boxes/one", "here")
        assert len(await names(registry)) == 2
        assert set((await registry.list(STACK)).documents) == {"structure", "boxes/one"}
        noise = random.Random(1).randbytes(600_000).hex()
        with pytest.raises(Permanent) as told:
            await registry.write(STACK, "structure", noise, None)
        assert "kv_max_value_size" in told.value.hint
    assert all(well for _, well, _ in await diagnose(options))
    assert json.loads(options.model_dump_json())["token"] != options.token
