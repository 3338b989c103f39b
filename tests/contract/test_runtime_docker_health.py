"""Docker's own HEALTHCHECK on a real Engine: given with the service, run, told, and seen."""

from __future__ import annotations

import pytest

from bluegreen.domain.instance import Instance, RuntimeEvent, RuntimeEventKind
from bluegreen.domain.spec import ContainerHealth
from bluegreen.drivers.runtimes.docker import DockerRuntime
from bluegreen.testing.runtime_contract import watching
from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.docker_instances import PATIENCE, Stage
from tests.support.waiting import until

pytestmark = pytest.mark.docker

SICK = "/tmp/sick"
OFTEN = ContainerHealth(
    test=("CMD-SHELL", f"test ! -e {SICK}"), interval=0.2, timeout=10.0, retries=2, start_period=0.0
)


@pytest.fixture
def stage(docker_engine: DockerEngine) -> Stage:
    return Stage(docker_engine.url)


@pytest.fixture(scope="module")
def sick_image(docker_engine: DockerEngine) -> str:
    """An image with a HEALTHCHECK of its own, which never passes."""
    name = "bluegreen-test-sick:1"
    check = "HEALTHCHECK --interval=200ms --retries=1 CMD false"
    images.build(docker_engine, name, f"FROM {images.APP}:0.0.1\n{check}\n")
    return name


def told(events: list[RuntimeEvent], name: str) -> list[str]:
    return [e.detail for e in events if e.kind is RuntimeEventKind.HEALTH and e.instance == name]


def test_a_verdict_that_turns_is_told_and_seen(stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(health=OFTEN)

        async def turns(health: str, *before: str) -> Instance:
            await until(lambda: told(events, wanted.name) == [*before, health], PATIENCE)
            return await stage.becomes(runtime, wanted.name, lambda i: i.health == health)

        async with watching(runtime) as events:
            await runtime.start(wanted)
            first = await turns("healthy")
            await runtime.execute(wanted.name, ("touch", SICK))
            sick = await turns("unhealthy", "healthy")
            assert (sick.state, sick.incarnation) == (first.state, first.incarnation)
            await runtime.execute(wanted.name, ("rm", SICK))
            assert await turns("healthy", "healthy", "unhealthy") == first

    stage.run(scenario)


def test_failures_within_the_start_period_leave_it_starting(stage: Stage) -> None:
    patient = ContainerHealth(
        test=("CMD", "sh", "-c", f"echo tried >> /tmp/tries; test -e {SICK}"),
        interval=0.1,
        retries=1,
        start_period=600.0,
    )

    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(health=patient)
        await runtime.start(wanted)

        async def tried() -> bool:
            _, output = await runtime.execute(wanted.name, ("sh", "-c", "cat /tmp/tries 2>/dev/null; true"))
            return output.count("tried") >= 5

        await until(tried, PATIENCE)
        seen = await stage.seen(runtime, wanted.name)
        assert seen is not None
        assert seen.health == "starting"
        await runtime.execute(wanted.name, ("touch", SICK))
        await stage.becomes(runtime, wanted.name, lambda i: i.health == "healthy")

    stage.run(scenario)


def test_the_images_own_check_is_kept_adapted_or_switched_off(stage: Stage, sick_image: str) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        own = stage.instance(1, image=sick_image)
        slower = stage.instance(2, image=sick_image, health=ContainerHealth(test=(), interval=3600.0))
        off = stage.instance(3, image=sick_image, health=ContainerHealth(test=("NONE",)))
        for wanted in (slower, off, own):
            await runtime.start(wanted)
        await stage.becomes(runtime, own.name, lambda i: i.health == "unhealthy")
        seen = {i.name: i.health for i in await runtime.list(stage.stack)}
        assert seen == {own.name: "unhealthy", slower.name: "starting", off.name: ""}

    stage.run(scenario)


def test_a_verdict_of_a_former_life_is_not_kept(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(health=OFTEN)
        await runtime.start(wanted)
        before = await stage.becomes(runtime, wanted.name, lambda i: i.health == "healthy")
        docker_engine.docker("restart", wanted.name)
        after = await stage.becomes(runtime, wanted.name, lambda i: i.running)
        assert after.incarnation != before.incarnation
        assert after.health in ("starting", "healthy")
        await runtime.stop(wanted.name)
        stopped = await stage.seen(runtime, wanted.name)
        assert stopped is not None
        assert stopped.health == ""

    stage.run(scenario)
