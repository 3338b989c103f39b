"""Drivers that other packages bring: their options, and what is said of those that do not work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluegreen.cli.driver_findings import drivers, registry
from bluegreen.domain.errors import BluegreenError, Permanent, UserError
from bluegreen.opening import checked_options, opened, opened_registry, registry_options, variables
from tests.support import foreign


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@contextmanager
def refused(kind: type[BluegreenError], code: str) -> Iterator[dict[str, str]]:
    """Expect a refusal; its evidence is there when the block has ended."""
    evidence: dict[str, str] = {}
    with pytest.raises(kind) as told:
        yield evidence
    assert told.value.code == code
    assert told.value.hint
    evidence |= dict(told.value.evidence)


def test_options_come_from_variables_and_what_is_given_wins(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.put(site, "shelf-one", foreign.REGISTRY, registries="shelf-one")
    monkeypatch.setenv("BLUEGREEN_SHELF_ONE_MAX_AGE", "7")
    monkeypatch.setenv("BLUEGREEN_SHELF_ONE_SECRET", "from the variable")
    found = checked_options("registries", "shelf-one", {"secret": "given", "address": None})
    assert (found.max_age, found.secret, found.address) == (7, "given", None)


def test_a_bad_and_an_unknown_variable_are_named_by_their_full_path(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.put(site, "shelf-two", foreign.REGISTRY, registries="shelf-two")
    monkeypatch.setenv("BLUEGREEN_SHELF_TWO_MAX_AGE", "old")
    monkeypatch.setenv("BLUEGREEN_SHELF_TWO_SECRTE", "misspelt")
    with refused(UserError, "bad_setting") as evidence:
        opened_registry("shelf-two://here")
    assert set(evidence) == {"shelf-two.max_age", "shelf-two.secrte"}


def test_a_variable_belongs_to_the_longest_name_and_a_setting_to_nobody(site: Path) -> None:
    foreign.put(site, "shelf-three", foreign.REGISTRY, registries="shelf")
    foreign.put(site, "shelf-three-fast", foreign.REGISTRY, balancers="shelf-fast")
    given = {"BLUEGREEN_SHELF_FAST_SPEED": "9", "BLUEGREEN_SHELF_AGE": "1", "BLUEGREEN_SHELF_EMPTY": ""}
    assert variables("shelf", given) == {"age": "1"}
    assert variables("shelf-fast", given) == {"speed": "9"}
    assert variables("docker", {"BLUEGREEN_DOCKER_URL": "unix:///x"}) == {}
    assert variables("registry", {"BLUEGREEN_REGISTRY_TOKEN": "s3cret"}) == {}


def test_a_setting_of_the_controller_counts_where_no_controller_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGREEN_NGINX_RUN", "existing")
    monkeypatch.setenv("BLUEGREEN_NGINX_INCLUDE_DIR", "/srv/nginx")
    found = checked_options("balancers", "nginx", {"state_dir": "/srv/box"})
    assert (found.run, str(found.include_dir)) == ("existing", "/srv/nginx")
    assert checked_options("balancers", "nginx", {"state_dir": "/srv/box", "run": "process"}).run == "process"
    monkeypatch.setenv("BLUEGREEN_NGINX_RUN", "somehow")
    with refused(UserError, "bad_setting") as evidence:
        checked_options("balancers", "nginx", {"state_dir": "/srv/box"})
    assert set(evidence) == {"nginx.run"}


def test_a_state_folder_is_for_those_that_want_one(site: Path) -> None:
    foreign.put(site, "shelf-four", foreign.REGISTRY, balancers="shelf-four")
    assert checked_options("balancers", "shelf-four", {"state_dir": site}).max_age == 3


def test_a_package_that_does_not_load_is_told_as_such(site: Path) -> None:
    foreign.put(site, "shelf-gone", None, registries="shelf-gone")
    foreign.put(site, "shelf-bare", "def open_it(options): ...", registries="shelf-bare")
    for name, how in (("shelf-gone", "ModuleNotFoundError"), ("shelf-bare", "AttributeError")):
        with refused(Permanent, "driver_broken") as evidence:
            opened("registries", name, {})
        assert evidence["package"] == f"{name} 1.0"
        assert how in evidence
        (row,) = [row for row in drivers() if row.what == f"driver {name}"]
        assert (row.level, how in row.detail, bool(row.do)) == ("bad", True, True)


@pytest.mark.parametrize("group", ["runtimes", "balancers", "registries", "journals"])
def test_an_unknown_name_is_refused_with_those_that_are_installed(site: Path, group: str) -> None:
    foreign.put(site, f"shelf-{group}", foreign.REGISTRY, **{group: f"shelf-{group}"})
    with refused(Permanent, "driver_missing") as evidence:
        opened(group, "nobody", {})
    assert f"shelf-{group}" in evidence["installed"]


def test_the_doctor_says_which_of_two_of_a_name_is_used(site: Path) -> None:
    foreign.put(site, "shelf-five", foreign.REGISTRY, registries="twice")
    foreign.put(site, "shelf-six", foreign.REGISTRY, registries="twice")
    (row,) = [row for row in drivers() if row.what == "driver twice"]
    assert row.level == "note"
    assert "2 packages" in row.detail
    (asked,) = asyncio.run(registry("twice://here"))
    assert asked.what == "registry"


def test_the_doctor_survives_a_driver_that_hangs_or_translates_nothing(site: Path) -> None:
    foreign.put(site, "shelf-raw", foreign.REGISTRY, registries="shelf-raw")
    (row,) = asyncio.run(registry("shelf-raw://hangs", patience=0.1))
    assert (row.level, row.detail) == ("bad", "no answer within 0.1 s")
    (row,) = asyncio.run(registry("shelf-raw://here"))
    assert (row.level, row.detail) == ("bad", "KeyError: 'not translated'")
    assert row.do


@pytest.mark.parametrize(
    "url", ["consul://[::1", "consul:8500", "nowhere", "consul://h:port", "consul://h:0"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with refused(UserError, "bad_setting"):
        opened_registry(url)
    (row,) = asyncio.run(registry(url))
    assert (row.level, "ValueError" in row.detail) == ("bad", False)


def test_a_path_is_absolute_where_there_is_no_address_and_may_be_quoted() -> None:
    name, options = registry_options("folder:///srv/my%20registry?pause=1")
    assert (name, options["path"], options["address"]) == ("folder", "/srv/my registry", None)
    assert registry_options("consul://[::1]:8500/prefix")[1]["path"] == "prefix"
    assert checked_options("registries", "consul", {"address": "[::1]:8500"}).url == "http://[::1]:8500"
