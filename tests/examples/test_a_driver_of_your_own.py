"""The example of a third-party driver, installed beside the package as anybody's would be."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, commands
from tests.examples.visitor import EXAMPLES
from tests.support import foreign
from tests.support.box import Box
from tests.support.house import House, managed
from tests.support.waiting import until

EXAMPLE = EXAMPLES / "07-a-driver-of-your-own"
PAGES = (EXAMPLE / "README.md", ROOT / "docs" / "howto" / "write-a-driver.md")
LASTING = ("serve", "balancer")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a Python that has the example's package."""
    place, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source")
    subprocess.run(["cp", "-r", f"{EXAMPLE}/.", str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", "--target", str(place), str(source)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BLUEGREEN_", "PYTEST"))}
    return {**kept, "PYTHONPATH": str(place), "NO_COLOR": "1"}


def discovered(environment: dict[str, str], url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask where ``web`` of ``shop`` is, by the registry at ``url``."""
    return ran(environment, "bluegreen", "discover", "web", "--from", url, "--stack", "shop", *words)


def ran(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=environment["PYTHONPATH"],
    )


def test_it_keeps_the_public_contract(installed: dict[str, str]) -> None:
    done = ran(installed, "pytest", "-p", "no:cacheprovider", str(EXAMPLE / "tests"))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_it_is_found_by_its_entry_point(installed: dict[str, str], tmp_path: Path) -> None:
    nobody = discovered(installed, f"folder://{tmp_path}")
    assert (nobody.returncode, nobody.stdout) == (1, "nobody\n"), nobody
    one = {"instance": "shop-web-r1-1", "stack": "shop", "service": "web", "color": "blue"}
    announced = tmp_path / "shop" / "instances" / "shop-web-r1-1.json"
    announced.parent.mkdir(parents=True)
    announced.write_text(json.dumps({**one, "host": "10.0.0.2", "port": 8080}))
    found = ran(
        installed,
        "bluegreen",
        "discover",
        "web",
        "--from",
        f"folder://{tmp_path}",
        "--stack",
        "shop",
        "--json",
    )
    assert found.returncode == 0, found
    assert [row["address"] for row in json.loads(found.stdout)] == ["10.0.0.2:8080"]


def test_the_doctor_lists_it_and_asks_its_registry(installed: dict[str, str], tmp_path: Path) -> None:
    seen = ran({**installed, "BLUEGREEN_REGISTRY": f"folder://{tmp_path}"}, "bluegreen", "doctor", "--json")
    rows = {row["what"]: row for row in json.loads(seen.stdout)["rows"]}
    assert "folder (bluegreen-folder 0.1)" in rows["registries"]["detail"]
    assert rows["registry"]["level"] == "ok", rows["registry"]


def test_a_bad_option_is_named_by_its_full_path(installed: dict[str, str], tmp_path: Path) -> None:
    url = f"folder://{tmp_path}?pause=never"
    refused = discovered(installed, url)
    assert refused.returncode == 2, refused
    assert "folder.pause" in refused.stderr


def test_without_it_the_refusal_says_what_is_installed(installed: dict[str, str]) -> None:
    bare = {**installed, "PYTHONPATH": str(Path(installed["PYTHONPATH"]).parent)}
    refused = discovered(bare, "folder:///srv")
    assert refused.returncode == 1, refused
    assert "[driver_missing]" in refused.stderr
    assert "consul" in refused.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_the_pages_show_works(installed: dict[str, str], tmp_path: Path, page: Path) -> None:
    shown = [shlex.split(c.words.replace("/srv/registry", str(tmp_path))) for c in commands(page)]
    ours = [words for words in shown if words[0] == "bluegreen" and words[1] not in LASTING]
    assert len(ours) == 2
    for words in ours:
        seen = ran({**installed, "BLUEGREEN_REGISTRY": f"folder://{tmp_path}"}, *words)
        told = {"doctor": "folder (bluegreen-folder 0.1)", "discover": "nobody\n"}[words[1]]
        assert told in seen.stdout, seen


def test_a_controller_and_a_box_run_on_the_drivers_of_others(
    installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runtime, balancer and registry, each of another package, with options from variables."""
    place, shared = tmp_path / "site", tmp_path / "shared"
    place.mkdir()
    shared.mkdir()
    foreign.put(place, "loud", foreign.RUNTIME, runtimes="loud")
    foreign.put(place, "bright", foreign.BALANCER, balancers="bright")
    monkeypatch.setenv("PYTHONPATH", f"{installed['PYTHONPATH']}:{place}")
    monkeypatch.setenv("BLUEGREEN_BRIGHT_VOLUME", "2")
    url = f"folder://{shared}?pause=0.05"

    async def main() -> None:
        drivers = {"balancer": "bright", "registry": url, "bright_volume": "2", "loud_volume": "11"}
        async with (
            House.standing("loud", **drivers) as house,
            Box.following(url, "shop", house.port, balancer="bright") as box,
        ):
            about = await house.get("/v1/about")
            assert about["runtime"] == "loud at 11"
            assert "bright at 2" in about["balancer"]
            await house.up(managed(house.port))
            await until(lambda: box.serves("0.0.1"), timeout=30.0)
            await house.deploy("web", "0.0.2")
            await until(lambda: box.serves("0.0.2"), timeout=30.0)
            found = await house.cli("discover", "web", "--from", url, "--stack", "shop", "--json")
            assert [(one["release"], one["live"]) for one in found.json()] == [(2, True)], found

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["runtime", "balancer"])
def test_a_controller_refuses_a_driver_that_nobody_brought(
    installed: dict[str, str], tmp_path: Path, kind: str
) -> None:
    chosen = {
        "BLUEGREEN_HOME": str(tmp_path),
        "BLUEGREEN_RUNTIME": "process",
        f"BLUEGREEN_{kind.upper()}": "etcd",
    }
    refused = ran({**installed, **chosen}, "bluegreen", "serve")
    assert (refused.returncode, "[driver_missing]" in refused.stderr) == (1, True), refused
    assert {"runtime": "docker, process", "balancer": "haproxy, nginx"}[kind] in refused.stderr
