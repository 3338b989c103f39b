"""The ways in which HAProxy is run: what comes with the package, the one of Debian, a container.

A test that takes ``haproxy`` is run in each of them. The package of Debian 12 (2.6, the oldest that is
supported) is unpacked into the cache folder; the image holds that of Debian 13 (3.0): so three versions of
HAProxy are tried in one run.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.haproxy_stage import BUNDLED, HaproxyStage, Way, haproxy_stage

PLAIN, IMAGE = "bluegreen-test-haproxy-plain:1", "bluegreen-test-haproxy:1"
PACKAGES = "haproxy,busybox-static,base-passwd"
PREPARE = """set -e
cd "$1"
for folder in bin sbin lib lib64; do test -e $folder || ln -s usr/$folder $folder; done
chroot . /usr/bin/busybox --install -s /usr/bin
echo "root:x:0:0:root:/root:/bin/sh" > etc/passwd
rm -rf usr/share/doc usr/share/man usr/share/locale var/lib/dpkg
"""
"""The tree is only unpacked, no maintainer script runs: links and accounts are made here."""


def system_haproxy() -> Path:
    """Return the HAProxy of Debian's package, fetched when the cache lacks it."""
    cache = Path(os.environ.get("BLUEGREEN_CACHE") or images.REPOSITORY / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "haproxy-debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch = [images.REPOSITORY / "scripts" / "fetch-debian-haproxy", cache / "haproxy-debian"]
        done = subprocess.run(fetch, check=True, capture_output=True, text=True, timeout=300)
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def haproxy_container(docker_engine: DockerEngine) -> Way:
    """The options that run HAProxy on the session's Engine, with its image there."""
    tarball = images.root_file_system("haproxy-debian-13", "trixie", PACKAGES, PREPARE)
    docker_engine.docker("import", str(tarball), PLAIN)
    # As in the usual image: a user of its own, who is not the controller's.
    images.build(docker_engine, IMAGE, f"FROM {PLAIN}\nUSER 99\n")
    return {"run": "container", "image": IMAGE, "docker_url": docker_engine.url}


WAYS: dict[str, Callable[[pytest.FixtureRequest], Way]] = {
    "bundled": lambda _: BUNDLED,
    "debian": lambda _: {"binary": str(system_haproxy())},
    "container": lambda request: request.getfixturevalue("haproxy_container"),
}


@pytest.fixture(
    params=[
        "bundled",
        "debian",
        pytest.param("container", marks=pytest.mark.docker),
    ]
)
def haproxy(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param](request)


Play = Callable[[Callable[[HaproxyStage], Awaitable[None]]], None]


@pytest.fixture
def play(haproxy: Way) -> Play:
    """Give each scenario a stage of its own with HAProxy run in one of the ways."""

    def run(scenario: Callable[[HaproxyStage], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(100), haproxy_stage(haproxy) as stage:
                await scenario(stage)

        asyncio.run(main())

    return run
