"""The Docker runtime on a real Engine: what can go wrong with one instance, and what it is given."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any

import httpx
import pytest

from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.domain.instance import InstanceState, RuntimeEventKind
from bluegreen.domain.spec import ContainerOptions, Limits, Mount, PortMapping, RestartPolicy
from bluegreen.drivers.runtimes.docker import DockerRuntime, Options, open_runtime
from bluegreen.testing.runtime_contract import http_get, watching
from tests.support.docker_engine import DockerEngine
from tests.support.docker_instances import PATIENCE, Stage
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.docker


@pytest.fixture
def stage(docker_engine: DockerEngine) -> Stage:
    return Stage(docker_engine.url)


def inspect(engine: DockerEngine, name: str) -> Any:
    return json.loads(engine.docker("inspect", name))[0]


def test_limits_are_those_of_the_container(docker_engine: DockerEngine, stage: Stage) -> None:
    limits = Limits(
        cpu_shares=256, cpuset="0", cpus=0.5, mem_limit=64 << 20, memswap_limit=128 << 20, pids=50
    )

    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(limits=limits)
        await runtime.start(wanted)
        config = inspect(docker_engine, wanted.name)["HostConfig"]
        assert (config["CpuShares"], config["CpusetCpus"]) == (256, "0")
        assert (config["NanoCpus"], config["PidsLimit"]) == (500_000_000, 50)
        assert (config["Memory"], config["MemorySwap"]) == (64 << 20, 128 << 20)
        files = ("pids/pids.max", "memory/memory.memsw.limit_in_bytes", "cpu/cpu.cfs_quota_us")
        _, output = await runtime.execute(wanted.name, ("cat", *(f"/sys/fs/cgroup/{f}" for f in files)))
        assert output.split() == ["50", str(128 << 20), "50000"]

    stage.run(scenario)


@pytest.mark.parametrize(
    ("fields", "code", "exit_code"),
    [
        ({"command": ("no-such-program",)}, "start_failed", 127),
        ({"command": ("/no/such/program",)}, "start_failed", 127),
        ({"command": ("/etc/passwd",)}, "start_failed", 126),
        ({"container": ContainerOptions(entrypoint=("no-such-program",))}, "start_failed", 127),
        ({"container": ContainerOptions(user="nobody-knows")}, "start_failed", None),
        ({"container": ContainerOptions(devices=("/dev/none",))}, "device_missing", None),
        ({"mounts": (Mount(source="/etc/passwd", target="/srv"),)}, "mount_refused", None),
    ],
)
def test_what_cannot_start_says_why(
    stage: Stage, fields: dict[str, Any], code: str, exit_code: int | None
) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(**fields)
        with pytest.raises(UserError) as refused:
            await runtime.start(wanted)
        assert refused.value.code == code
        assert refused.value.hint
        assert wanted.name in refused.value.message
        (left,) = await runtime.list(stage.stack)
        assert left.state is InstanceState.CREATED
        assert left.error
        assert exit_code is None or left.exit_code == exit_code

    stage.run(scenario)


def test_an_instance_that_takes_too_much_memory_is_named_so(stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        greedy = stage.instance(
            command=("python3", "/srv/app.py", "--allocate", "200"), limits=Limits(mem_limit=24 << 20)
        )
        async with watching(runtime) as events:
            await runtime.start(greedy)
            ended = await stage.becomes(runtime, greedy.name, lambda i: i.state is InstanceState.EXITED)
            assert ended.oom_killed
            assert ended.exit_code == 137
            await until(lambda: [e for e in events if e.kind is RuntimeEventKind.OOM], PATIENCE)

    stage.run(scenario)


def test_a_paused_instance_is_seen_and_started_again(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance()
        async with watching(runtime) as events:
            await runtime.start(wanted)
            before = await stage.becomes(runtime, wanted.name, lambda i: i.running)
            docker_engine.docker("pause", wanted.name)
            await until(lambda: [e for e in events if e.kind is RuntimeEventKind.PAUSED], PATIENCE)
            paused = await stage.becomes(runtime, wanted.name, lambda i: i.state is InstanceState.PAUSED)
            assert not paused.reachable
            await runtime.start(wanted)
            await until(lambda: [e for e in events if e.kind is RuntimeEventKind.RESUMED], PATIENCE)
            assert await stage.seen(runtime, wanted.name) == before

    stage.run(scenario)


def test_a_paused_instance_still_ends_by_its_own_signal(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(stop_grace=30.0)
        await runtime.start(wanted)
        listed = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        await until(lambda: _answers(listed), PATIENCE)
        docker_engine.docker("pause", wanted.name)
        await runtime.stop(wanted.name)
        stopped = await stage.seen(runtime, wanted.name)
        assert stopped is not None
        assert (stopped.state, stopped.exit_code) == (InstanceState.EXITED, 0)

    stage.run(scenario)


def test_a_port_in_use_is_refused_with_the_one_who_holds_it(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

        async def scenario(runtime: DockerRuntime) -> None:
            wanted = stage.instance(ports=(PortMapping(container=3000, host=port, address="127.0.0.1"),))
            with pytest.raises(UserError) as refused:
                await runtime.start(wanted)
            assert refused.value.code == "port_taken"
            assert f"port {port} is held by process {os.getpid()}" in refused.value.message

        stage.run(scenario)


def test_a_port_of_another_container_is_refused_with_its_name_and_free_afterwards(stage: Stage) -> None:
    port = free_port()
    published = (PortMapping(container=3000, host=port, address="127.0.0.1"),)

    async def scenario(runtime: DockerRuntime) -> None:
        first, second = (stage.instance(n, ports=published) for n in (1, 2))
        await runtime.start(first)
        listed = await stage.becomes(runtime, first.name, lambda i: i.reachable)
        await until(lambda: _answers(listed), PATIENCE)
        with pytest.raises(UserError) as refused:
            await runtime.start(second)
        assert refused.value.code == "port_taken"
        assert f"container {first.name}" in refused.value.message
        await runtime.remove(first.name)
        await runtime.start(second)
        assert (await stage.becomes(runtime, second.name, lambda i: i.running)).reachable

    stage.run(scenario)


def test_a_container_of_somebody_else_is_never_touched(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance()
        foreign = docker_engine.docker("run", "-d", "--name", wanted.name, "mongo:latest")
        try:
            with pytest.raises(BluegreenError) as refused:
                await runtime.start(wanted)
            assert refused.value.code == "name_taken"
            await runtime.stop(wanted.name)
            await runtime.remove(wanted.name)
            assert await runtime.list(stage.stack) == ()
            assert inspect(docker_engine, foreign)["State"]["Running"]
        finally:
            docker_engine.docker("rm", "-f", foreign)

    stage.run(scenario)


def test_services_of_a_stack_find_each_other_by_name(stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        web, database = stage.instance(), stage.instance(service="db", image="mongo:latest")
        await runtime.start(database)
        await runtime.start(web)
        listed = await stage.becomes(runtime, database.name, lambda i: i.reachable)
        assert listed.port == 27017
        say_ping = (
            "import socket; s = socket.create_connection(('db', 27017), 5); s.sendall(b'PING\\n');"
            "print(s.getpeername()[0], s.recv(99))"
        )

        async def answered() -> bool:
            code, output = await runtime.execute(web.name, ("python3", "-c", say_ping))
            return code == 0 and f"{listed.host} b'PONG" in output

        await until(answered, PATIENCE)

    stage.run(scenario)


@pytest.mark.parametrize("rivals", [2, 3])
def test_networks_of_one_name_do_no_lasting_harm(
    docker_engine: DockerEngine, stage: Stage, rivals: int
) -> None:
    """The Engine makes several of one name when it is not asked to check, or when two ask at once."""
    network = f"bluegreen_{stage.stack}"
    body = {"Name": network, "Driver": "bridge", "Labels": {"bluegreen.stack": stage.stack}}

    def named() -> list[str]:
        listed = docker_engine.docker("network", "ls", "--format", "{{.Name}}").split()
        return [name for name in listed if name == network]

    async def scenario(runtime: DockerRuntime) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(docker_engine.socket_path), verify=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://docker") as client:
            for _ in range(rivals):
                (await client.post("/networks/create", json=body)).raise_for_status()
        async with asyncio.TaskGroup() as group:
            for index in range(4):
                group.create_task(runtime.start(stage.instance(index)))
        assert named() == [network]
        for instance in await runtime.list(stage.stack):
            await runtime.remove(instance.name)
        assert named() == []

    stage.run(scenario)


def test_instances_that_start_together_share_one_network(docker_engine: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        for _ in range(3):
            async with asyncio.TaskGroup() as group:
                for index in range(4):
                    group.create_task(runtime.start(stage.instance(index)))
            listed = docker_engine.docker("network", "ls", "--quiet", "--filter", f"name={stage.stack}")
            assert len(listed.split()) == 1
            for instance in await runtime.list(stage.stack):
                await runtime.remove(instance.name)

    stage.run(scenario)


def test_the_network_comes_with_the_first_instance_and_goes_with_the_last(
    docker_engine: DockerEngine, stage: Stage
) -> None:
    def networks() -> list[str]:
        listed = docker_engine.docker("network", "ls", "--format", "{{.Name}}").split()
        return [name for name in listed if stage.stack in name]

    async def scenario(runtime: DockerRuntime) -> None:
        async with open_runtime(Options(**stage.options)) as other, asyncio.TaskGroup() as group:
            for index, controller in enumerate((runtime, other, runtime, other)):
                group.create_task(controller.start(stage.instance(index)))
        assert networks() == [f"bluegreen_{stage.stack}"]
        first, *rest = await runtime.list(stage.stack)
        async with asyncio.TaskGroup() as group:
            for instance in rest:
                group.create_task(runtime.remove(instance.name))
        assert networks() == [f"bluegreen_{stage.stack}"]
        await runtime.remove(first.name)
        assert networks() == []

    stage.run(scenario)


def test_starts_survive_the_removal_of_the_last_instance_by_another_controller(stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        async with open_runtime(Options(**stage.options)) as other:
            for round_ in range(6):
                last, first = stage.instance(round_), stage.instance(round_ + 1)
                await other.start(last)
                async with asyncio.TaskGroup() as group:
                    group.create_task(other.remove(last.name))
                    group.create_task(runtime.start(first))
                assert (await stage.becomes(runtime, first.name, lambda i: i.running)).host

    stage.run(scenario)


def test_volumes_without_a_name_go_with_the_instance_and_named_ones_stay(
    docker_engine: DockerEngine, stage: Stage
) -> None:
    def volumes() -> set[str]:
        return set(docker_engine.docker("volume", "ls", "-q").split())

    async def scenario(runtime: DockerRuntime) -> None:
        before = volumes()
        mounts = (Mount(target="/fresh"), Mount(target="/kept", source="data"))
        wanted = stage.instance(mounts=mounts)
        await runtime.start(wanted)
        assert len(volumes() - before) == 2
        await runtime.execute(wanted.name, ("sh", "-c", "echo one > /kept/file"))
        await runtime.remove(wanted.name)
        assert volumes() - before == {f"{stage.stack}_data"}
        await runtime.start(wanted)
        assert await runtime.execute(wanted.name, ("cat", "/kept/file")) == (0, "one\n")

    try:
        stage.run(scenario)
    finally:
        docker_engine.docker("volume", "rm", f"{stage.stack}_data", check=False)


def test_what_is_listed_from_memory_is_what_a_fresh_look_finds(
    docker_engine: DockerEngine, stage: Stage
) -> None:
    """With an event stream open inspections are remembered: they must never be out of date for long."""

    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(restart=RestartPolicy.ALWAYS)

        async def fresh() -> Any:
            async with open_runtime(Options(**stage.options)) as other:
                return await other.list(stage.stack)

        async def same() -> bool:
            return bool(await runtime.list(stage.stack) == await fresh())

        async with watching(runtime):
            await runtime.start(wanted)
            await until(same, PATIENCE)
            for action in (("restart", "-t", "0"), ("pause",), ("unpause",), ("stop", "-t", "0"), ("start",)):
                docker_engine.docker(*action, wanted.name)
                await until(same, PATIENCE)
            network = f"bluegreen_{stage.stack}"
            docker_engine.docker("network", "disconnect", network, wanted.name)
            await until(same, PATIENCE)
            assert (await runtime.list(stage.stack))[0].host is None
            docker_engine.docker("network", "connect", network, wanted.name)
            await until(same, PATIENCE)
            assert (await runtime.list(stage.stack))[0].reachable

    stage.run(scenario)


def test_the_output_of_a_terminal_is_read_as_lines(stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(
            command=("sh", "-c", "echo one; echo two"), container=ContainerOptions(tty=True)
        )
        await runtime.start(wanted)
        await stage.becomes(runtime, wanted.name, lambda i: i.state is InstanceState.EXITED)
        assert [line async for line in runtime.logs(wanted.name)] == ["one", "two"]
        with pytest.raises(UserError) as refused:
            await runtime.execute(wanted.name, ("true",))
        assert refused.value.code == "instance_not_running"

    stage.run(scenario)


async def _answers(instance: Any) -> bool:
    try:
        return "version" in await http_get(instance, "/version") or True
    except OSError:
        return False
