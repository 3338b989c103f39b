"""The Docker runtime on a real Engine: what people and fate do to containers is told, seen and put right."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bluegreen.domain.instance import Instance, RuntimeEvent, RuntimeEventKind
from bluegreen.drivers.runtimes.docker import DockerRuntime, Options, open_runtime
from bluegreen.testing.runtime_contract import http_get, watching
from tests.support.docker_engine import DockerEngine
from tests.support.docker_instances import PATIENCE, Stage
from tests.support.images import APP, build
from tests.support.waiting import until

pytestmark = pytest.mark.docker


@pytest.fixture
def stage(docker_engine: DockerEngine) -> Stage:
    return Stage(docker_engine.url)


def inspect(engine: DockerEngine, name: str) -> Any:
    return json.loads(engine.docker("inspect", name))[0]


def test_the_engines_own_health_check_is_told_and_seen(docker_engine: DockerEngine, stage: Stage) -> None:
    """Of an image, as this is about what the Engine says and not about who asked for it."""
    check = "HEALTHCHECK --interval=250ms --timeout=5s --retries=1 CMD test ! -e /tmp/sick"
    build(docker_engine, "checked:1", f"FROM {APP}:0.0.1\n{check}\n")

    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(image="checked:1")
        async with watching(runtime) as events:

            async def turns(health: str) -> None:
                await until(lambda: (RuntimeEventKind.HEALTH, health) in told(events), PATIENCE)
                await stage.becomes(runtime, wanted.name, lambda i: i.health == health)
                events.clear()

            await runtime.start(wanted)
            await turns("healthy")
            docker_engine.docker("exec", wanted.name, "touch", "/tmp/sick")
            await turns("unhealthy")
            docker_engine.docker("exec", wanted.name, "rm", "/tmp/sick")
            await turns("healthy")

    stage.run(scenario)


def told(events: list[RuntimeEvent]) -> list[tuple[RuntimeEventKind, str]]:
    return [(event.kind, event.detail) for event in events]


def test_a_stop_by_hand_is_told_before_the_end(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(stop_signal="INT")
        await runtime.start(wanted)
        listed = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        await until(lambda: _answers(listed), PATIENCE)
        async with watching(runtime) as events:
            docker_engine.docker("kill", "--signal", "HUP", wanted.name)
            docker_engine.docker("stop", "--time", "30", wanted.name)
            await until(lambda: [e for e in events if e.kind is RuntimeEventKind.DIED], PATIENCE)
            assert told(events)[1:3] == [
                (RuntimeEventKind.STOPPING, "signal 2"),
                (RuntimeEventKind.DIED, "exit code 0"),
            ]

    stage.run(scenario)


def test_a_running_instance_gets_its_lost_network_back(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted, network = stage.instance(), f"bluegreen_{stage.stack}"
        await runtime.start(wanted)
        first = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        docker_engine.docker("network", "disconnect", network, wanted.name)
        assert (await stage.becomes(runtime, wanted.name, lambda i: i.host is None)).cut_off
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(runtime.start(wanted))
        again = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        assert again.incarnation == first.incarnation
        known = inspect(docker_engine, wanted.name)["NetworkSettings"]["Networks"][network]
        assert "web" in known["Aliases"]
        # Also when the network itself is gone.
        docker_engine.docker("network", "disconnect", network, wanted.name)
        docker_engine.docker("network", "rm", network)
        await runtime.start(wanted)
        await stage.becomes(runtime, wanted.name, lambda i: i.reachable)

    stage.run(scenario)


def test_a_renamed_instance_gets_its_name_back_and_no_double(
    docker_engine: DockerEngine, stage: Stage
) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance()
        await runtime.start(wanted)
        first = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        docker_engine.docker("rename", wanted.name, f"{stage.stack}-by-hand")
        (renamed,) = await runtime.list(stage.stack)
        assert not renamed.named_as_made
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(runtime.start(wanted))
        assert await runtime.list(stage.stack) == (first,)

    stage.run(scenario)


@pytest.mark.parametrize(
    "words", [("restart", "-t", "0"), ("pause",), ("rename",), ("disconnect",)], ids=" ".join
)
def test_what_no_event_told_is_found_by_a_look_at_everything(
    docker_engine: DockerEngine, stage: Stage, words: tuple[str, ...]
) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance()
        await runtime.start(wanted)
        first = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        # A stream that nobody is behind: what was seen is believed, and nothing is heard.
        sightings = runtime._sightings
        with sightings.connected(), sightings.caught_up():
            assert await stage.seen(runtime, wanted.name) == first
            arguments = {
                "rename": ("rename", wanted.name, f"{wanted.name}-x"),
                "disconnect": ("network", "disconnect", f"bluegreen_{stage.stack}", wanted.name),
            }
            docker_engine.docker(*arguments.get(words[0], (*words, wanted.name)))
            found = [i for i in await runtime.list() if i.stack == stage.stack]
            async with open_runtime(Options(**stage.options)) as other:
                assert found == list(await other.list(stage.stack))
            assert found != [first]

    stage.run(scenario)


async def _answers(instance: Instance) -> bool:
    try:
        return "version" in await http_get(instance, "/version")
    except OSError:
        return False
