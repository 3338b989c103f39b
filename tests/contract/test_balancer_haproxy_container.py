"""HAProxy in a container: Docker brings it back as it was, and needs to be there for nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.routing import Server
from bluegreen.drivers.balancers.haproxy import Options, open_balancer
from bluegreen.drivers.balancers.haproxy.container import container_name
from bluegreen.testing.balancer_stage import BLUE, GREEN, WEB, answers, live, two_colors, until
from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.haproxy_stage import HaproxyStage, Way, haproxy_stage

pytestmark = pytest.mark.docker


def play(way: Way, scenario: Callable[[HaproxyStage], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(100), haproxy_stage(way) as stage:
            await scenario(stage)

    asyncio.run(main())


def name_of(stage: HaproxyStage) -> str:
    return container_name(stage.folder / "state")


def inspect(engine: DockerEngine, stage: HaproxyStage) -> Any:
    """Return what Docker knows of the stage's container, ``None`` if there is none."""
    found = json.loads(engine.docker("inspect", name_of(stage), check=False) or "[]")
    return found[0] if found else None


@asynccontextmanager
async def supervised(stage: HaproxyStage) -> AsyncIterator[None]:
    watch = asyncio.create_task(stage.balancer.supervise())
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def refusal(folder: Path, **options: Any) -> BluegreenError:
    """Return what opening and applying with these options is refused with."""
    refused: BluegreenError | None = None
    try:
        async with open_balancer(Options(state_dir=folder, run="container", **options)) as balancer:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            await balancer.apply(two_colors(port, {}))
    except BluegreenError as error:
        refused = error
    assert refused is not None, "it was accepted"
    assert refused.hint, f"{refused.code} says what to do"
    return refused


def observes(stage: HaproxyStage) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        try:
            await stage.balancer.observe()
        except BluegreenError:
            return False
        return True

    return condition


def test_without_a_controller_it_comes_back_with_what_was_last_applied(haproxy_container: Way) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        host, port = await stage.instance(BLUE)
        await stage.balancer.apply(routing.with_servers(BLUE, (Server(name="s2", host=host, port=port),)))
        moved = routing.with_weights(WEB, {BLUE: 100})
        moved = moved.with_servers(BLUE, (Server(name="s2", host=host, port=port),))
        await stage.balancer.apply(moved)
        before = set(stage.processes())
        await stage.kill()  # nobody supervises: this is Docker's doing
        await until(answers(stage, routing, BLUE), "it serves again, by the weights of the last switch")
        assert not before & set(stage.processes())
        reopened = await stage.reopen()
        await until(observes(stage), "its master answers as well")
        facts = await reopened.observe()
        assert dict(facts.weights) == {WEB: {BLUE: 100}}
        assert [(s.name, s.port) for s in facts.pools[BLUE].servers] == [("s2", port)]
        after = set(stage.processes())
        await reopened.apply(moved)
        assert set(stage.processes()) == after, "adopted as it is"

    play(haproxy_container, scenario)


def test_a_container_that_was_killed_by_hand_is_started_by_the_controller(
    haproxy_container: Way, docker_engine: DockerEngine
) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        async with supervised(stage):
            for verb in (("kill",), ("rm", "-f"), ("stop", "-t", "1")):
                before = inspect(docker_engine, stage)["State"]["Pid"]
                await asyncio.to_thread(docker_engine.docker, *verb, name_of(stage))
                await until(answers(stage, routing, BLUE), f"it serves again after docker {verb[0]}")
                assert inspect(docker_engine, stage)["State"]["Pid"] != before
                assert dict((await stage.balancer.observe()).weights) == {WEB: {BLUE: 100}}

    play(haproxy_container, scenario)


def test_it_lives_as_a_process_of_the_box_and_is_found_by_its_labels(
    haproxy_container: Way, docker_engine: DockerEngine
) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        await live(stage, GREEN)
        found = inspect(docker_engine, stage)
        assert found["Name"] == f"/{name_of(stage)}"
        assert found["Config"]["Labels"]["bluegreen.balancer"] == "haproxy"
        assert found["Config"]["Labels"]["bluegreen.state-dir"] == str(stage.folder / "state")
        assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert found["HostConfig"]["NetworkMode"] == "host"
        assert found["State"]["Pid"] in {process.pid for process in stage.processes()}
        assert "bluegreen.service" not in found["Config"]["Labels"], "it is no instance of a service"

    play(haproxy_container, scenario)


def test_stop_leaves_no_container(haproxy_container: Way, docker_engine: DockerEngine) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        await live(stage, GREEN)
        await stage.balancer.stop()
        assert inspect(docker_engine, stage) is None
        assert stage.processes() == []
        listed = docker_engine.docker("ps", "--all", "--quiet", "--filter", f"name={name_of(stage)}")
        assert listed == "", "nor one of a check"

    play(haproxy_container, scenario)


def test_a_switch_and_new_servers_need_no_docker(haproxy_container: Way, tmp_path: Path) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        stage.way = {**haproxy_container, "docker_url": f"unix://{tmp_path}/nobody.sock"}
        await stage.reopen()
        host, port = await stage.instance(BLUE)
        moved = routing.with_servers(BLUE, (Server(name="s2", host=host, port=port),))
        await stage.balancer.apply(moved.with_weights(WEB, {BLUE: 100}))
        assert await stage.ask(routing.routes[WEB].port) == BLUE
        stage.way = haproxy_container
        await stage.reopen()

    play(haproxy_container, scenario)


def test_what_does_not_start_is_told_in_haproxys_words_and_not_left_to_docker(
    haproxy_container: Way, docker_engine: DockerEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        file = stage.folder / "state" / "haproxy.cfg"
        well = file.read_text()
        file.write_text(well + stage.refused_line + "\n")
        docker_engine.docker("kill", name_of(stage))

        async def told() -> bool:
            return "unknown keyword 'no-such-keyword'" in caplog.text

        async with supervised(stage):
            await until(told, "HAProxy's words are told")
            file.write_text(well)
            await until(answers(stage, routing, GREEN), "it serves again once the file is well")

    play(haproxy_container, scenario)


def test_a_controller_set_to_a_process_does_not_fight_with_docker(haproxy_container: Way) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        await live(stage, GREEN)
        state = stage.folder / "state"
        with pytest.raises(BluegreenError) as seen:
            async with open_balancer(Options(state_dir=state)):
                pass
        assert seen.value.code == "bad_setting"
        assert name_of(stage) in seen.value.hint
        await stage.balancer.stop()
        async with open_balancer(Options(state_dir=state)):
            pass

    play(haproxy_container, scenario)


def test_a_container_takes_over_from_a_process_that_died(haproxy_container: Way) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        stage.way = haproxy_container
        await stage.reopen()
        switched = routing.with_weights(WEB, {BLUE: 100})
        await stage.balancer.apply(switched)
        await stage.kill()
        await stage.balancer.apply(switched)
        await until(answers(stage, routing, BLUE), "it serves from a container")
        assert (stage.folder / "state" / "container").read_text() == name_of(stage)

    play({}, scenario)


def test_a_missing_image_is_told_with_the_way_to_get_it(docker_engine: DockerEngine, tmp_path: Path) -> None:
    refused = asyncio.run(refusal(tmp_path, image="haproxy:none-such", docker_url=docker_engine.url))
    assert refused.code == "image_missing"
    assert "docker pull haproxy:none-such" in refused.hint


def test_an_image_without_haproxy_is_told(docker_engine: DockerEngine, tmp_path: Path) -> None:
    refused = asyncio.run(refusal(tmp_path, image=images.BASE, docker_url=docker_engine.url))
    assert refused.code == "haproxy_missing"
    assert docker_engine.docker("ps", "-aq", "--filter", f"name={container_name(tmp_path)}") == ""


def test_an_engine_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(refusal(tmp_path, docker_url="tcp://192.0.2.1:2375")).code == "bad_setting"
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    refused = asyncio.run(refusal(tmp_path))
    assert refused.code == "bad_setting"
    assert "ssh://elsewhere" in refused.message


def test_the_engine_of_docker_host_is_used(
    docker_engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.url)
    refused = asyncio.run(refusal(tmp_path, image="haproxy:none-such"))
    assert dict(refused.evidence)["docker"] == docker_engine.url


def test_a_silent_and_an_absent_engine_are_told_apart(tmp_path: Path) -> None:
    absent = asyncio.run(refusal(tmp_path, docker_url=f"unix://{tmp_path}/no.sock"))
    assert absent.code == "docker_unreachable"
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        silent = asyncio.run(refusal(tmp_path, docker_url=f"unix://{path}", start_deadline=0.2))
    assert silent.code == "docker_timeout"
