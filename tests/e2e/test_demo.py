"""``bluegreen demo`` as a user runs it: no request fails, and nothing is left behind, whatever happens.

What is left behind is looked for by this module's own means, not by those of the demo.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.ports import free_port
from tests.support.waiting import until

KEYS = [
    *("requests", "failed", "failures_by_class", "switch_ms", "first_new_ms", "mixed_ms"),
    *("p99_before_ms", "p99_during_ms", "p99_after_ms", "from", "to", "runtime", "balancer"),
]
DURATION = "3"


class Play:
    """One run of the demo, with its temporary files in a folder of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bgd-", dir="/tmp"))
        self.port = free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BLUEGREEN_")}
        self._environment = {**kept, "TMPDIR": str(self.folder), **environment}
        self.out = self.folder / "out"
        self.err = self.folder / "err"

    @classmethod
    @contextlib.asynccontextmanager
    async def begun(cls, *arguments: str, **environment: str):  # type: ignore[no-untyped-def]
        play = cls(environment)
        with play.out.open("wb") as out, play.err.open("wb") as err:
            play.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bluegreen", "demo", "--duration", DURATION),
                *("--port", str(play.port), *arguments),
                env=play._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            yield play
        finally:
            for process in [*play.processes(), play.process]:
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    process.kill()
            await play.process.wait()
            shutil.rmtree(play.folder, ignore_errors=True)

    process: asyncio.subprocess.Process

    async def ended(self) -> int:
        async with asyncio.timeout(90):
            return await self.process.wait()

    async def told(self, words: str, where: str = "out") -> None:
        """Wait until the story has come to ``words``."""
        file: Path = getattr(self, where)
        await until(lambda: words in file.read_text() or self.process.returncode is not None, timeout=60.0)
        assert words in file.read_text(), self.story()

    def story(self) -> str:
        return f"{self.out.read_text()}\n--- err\n{self.err.read_text()}"

    def processes(self, word: str = "") -> list[psutil.Process]:
        """Return the processes that mention this run's folder anywhere, but the demo's own."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                mentions = [process.cwd(), *process.cmdline(), *process.environ().values()]
                mentions += [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
                ours = any(str(self.folder) in text for text in mentions)
                if ours and process.pid != self.process.pid and word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def nothing_is_left(self) -> None:
        assert self.processes() == []
        assert sorted(path.name for path in self.folder.iterdir()) == ["err", "out"]
        with socket.create_server(("", self.port)):
            pass


def test_json_is_one_object_and_no_request_failed() -> None:
    async def main() -> None:
        async with Play.begun("--json") as play:
            assert await play.ended() == 0, play.story()
            document = json.loads(play.out.read_text())
            assert set(KEYS) <= set(document)
            assert document["failed"] == 0
            assert document["failures_by_class"] == {}
            assert document["requests"] > 100
            assert (document["from"], document["to"]) == ("0.0.1", "0.0.2")
            assert (document["back"]["from"], document["back"]["to"]) == ("0.0.2", "0.0.1")
            assert (document["runtime"], document["balancer"]) == ("process", "haproxy")
            assert document["first_new_ms"] > 0
            assert document["switch_ms"] > 0
            play.nothing_is_left()

    asyncio.run(main())


def test_the_story_shows_the_commands_as_they_are_typed() -> None:
    async def main() -> None:
        async with Play.begun() as play:
            assert await play.ended() == 0, play.story()
            lines = play.out.read_text().splitlines()
            typed = [line for line in lines if line.startswith("$ ")]
            assert typed == [
                f"$ bluegreen up -f stack.process.yml -n demo --publish 80={play.port} --yes",
                "$ bluegreen service set --link webx-blue:webx-blue lbx",
                "$ bluegreen service redeploy lbx",
                "$ bluegreen rollback lbx",
            ]
            assert lines[-1].endswith("0 failed")
            assert "\x1b" not in play.out.read_text()
            assert play.err.read_text() == ""
            play.nothing_is_left()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("act", "number"),
    [
        ("$ bluegreen up", signal.SIGTERM),
        ("2. Users arrive", signal.SIGHUP),
        ("$ bluegreen service redeploy", signal.SIGINT),
    ],
)
def test_an_interrupted_demo_cleans_up(act: str, number: signal.Signals) -> None:
    async def main() -> None:
        async with Play.begun() as play:
            await play.told(act)
            play.process.send_signal(number)
            play.process.send_signal(number)  # an impatient second one must not spoil the cleaning up
            assert await play.ended() == 128 + number, play.story()
            assert "Traceback" not in play.story()
            play.nothing_is_left()

    asyncio.run(main())


def _controller_gone(play: Play) -> None:
    for process in play.processes("serve"):
        process.kill()


def test_a_controller_that_dies_fails_the_demo_and_nothing_is_left() -> None:
    async def main() -> None:
        async with Play.begun() as play:
            await play.told("2. Users arrive")
            assert await until(lambda: play.processes("serve"))
            _controller_gone(play)
            assert await play.ended() == 1, play.story()
            assert "service set" in play.err.read_text()
            play.nothing_is_left()

    asyncio.run(main())


def test_a_missing_balancer_is_named_and_nothing_is_left() -> None:
    async def main() -> None:
        async with Play.begun(BLUEGREEN_HAPROXY_BINARY="/nonexistent/haproxy") as play:
            assert await play.ended() in (1, 2), play.story()
            assert "/nonexistent/haproxy" in play.err.read_text()
            assert "Traceback" not in play.story()
            play.nothing_is_left()

    asyncio.run(main())


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            async with Play.begun("--port", str(other.getsockname()[1])) as play:
                assert await play.ended() == 2, play.story()
                assert "--port" in play.err.read_text()
                play.nothing_is_left()

    asyncio.run(main())


@pytest.fixture(scope="module")
def bare_engine() -> Iterator[DockerEngine]:
    """A Docker Engine that has a base image and none of the demo's."""
    with DockerEngine.running() as engine:
        engine.docker("import", str(images.base_tarball()), images.BASE)
        yield engine


def _docker(engine: DockerEngine) -> dict[str, str]:
    return {"DOCKER_HOST": engine.url, "BLUEGREEN_DEMO_BASE": images.BASE}


def _untouched(engine: DockerEngine) -> None:
    named = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    assert [name for name in named if "<none>" not in name] == [images.BASE]
    assert engine.docker("ps", "--all", "--quiet") == ""
    assert "demo" not in engine.docker("network", "ls", "--format", "{{.Name}}")


def test_docker_builds_what_is_absent_and_gives_it_back(bare_engine: DockerEngine) -> None:
    async def main() -> None:
        async with Play.begun("--runtime", "docker", "--json", **_docker(bare_engine)) as play:
            assert await play.ended() == 0, play.story()
            document = json.loads(play.out.read_text())
            assert (document["failed"], document["runtime"]) == (0, "docker")
            assert (document["from"], document["to"]) == ("0.0.1", "0.0.2")
            play.nothing_is_left()
            _untouched(bare_engine)

    asyncio.run(main())


@pytest.mark.parametrize("hurt", [None, _controller_gone], ids=["interrupted", "controller killed"])
def test_docker_is_left_as_it_was_by_a_demo_that_ends_early(
    bare_engine: DockerEngine, hurt: Callable[[Play], None] | None
) -> None:
    async def main() -> None:
        async with Play.begun("--runtime", "docker", **_docker(bare_engine)) as play:
            await play.told("2. Users arrive")
            if hurt is None:
                play.process.send_signal(signal.SIGINT)
            else:
                hurt(play)
            assert await play.ended() in (1, 130), play.story()
            play.nothing_is_left()
            _untouched(bare_engine)

    asyncio.run(main())


def test_docker_without_a_base_image_says_what_to_do(bare_engine: DockerEngine) -> None:
    async def main() -> None:
        chosen = _docker(bare_engine) | {"BLUEGREEN_DEMO_BASE": "bluegreen-test-absent:1"}
        async with Play.begun("--runtime", "docker", **chosen) as play:
            assert await play.ended() == 1, play.story()
            assert "BLUEGREEN_DEMO_BASE" in play.err.read_text()
            _untouched(bare_engine)

    asyncio.run(main())


def test_docker_that_is_not_there_says_so() -> None:
    async def main() -> None:
        async with Play.begun("--runtime", "docker", DOCKER_HOST="unix:///nonexistent.sock") as play:
            assert await play.ended() == 1, play.story()
            assert "--runtime process" in play.err.read_text()
            play.nothing_is_left()

    asyncio.run(main())
