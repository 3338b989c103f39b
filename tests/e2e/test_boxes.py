"""Balancers on other boxes follow a real registry: switched and released under load, and whatever dies."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.stack import StackSpec
from tests.e2e.test_no_request_fails import unharmed
from tests.support.box import Box
from tests.support.consul_program import Consul, a_consul
from tests.support.docker_engine import DockerEngine
from tests.support.house import LIGHT, House, managed, two_colors
from tests.support.namespace import namespace_at
from tests.support.waiting import until
from tests.support.zookeeper_program import ZooKeeperProgram, a_zookeeper

BRIEF = RolloutPolicy(start_deadline=30.0, bake=0.5, drain=10.0)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A registry, a controller without a balancer of its own, and a box that serves."""

    server: Consul | ZooKeeperProgram
    house: House
    box: Box
    registry: str


@asynccontextmanager
async def a_registry(kind: str) -> AsyncIterator[tuple[Consul | ZooKeeperProgram, str]]:
    """Yield a real server, and the URL by which bluegreen finds it."""
    if kind == "consul":
        with a_consul() as consul:
            await consul.until_ready()
            yield consul, f"consul://{consul.address}"
        return
    with tempfile.TemporaryDirectory() as folder, a_zookeeper(Path(folder) / "zookeeper") as program:
        yield program, f"zookeeper://{program.hosts}"


def play(
    stack: Callable[[int], StackSpec],
    scenario: Callable[[Scene], Awaitable[None]],
    *,
    own: str = "boxes",
    elsewhere: str = "haproxy",
    kind: str = "consul",
) -> None:
    async def main() -> None:
        async with (
            a_registry(kind) as (server, registry),
            House.standing(balancer=own, registry=registry) as house,
        ):
            spec = stack(house.port)
            async with Box.following(registry, spec.name, house.port, balancer=elsewhere) as box:
                await house.up(spec)
                await until(box.serves, timeout=30.0)
                await scenario(Scene(server=server, house=house, box=box, registry=registry))

    asyncio.run(main())


def shop(port: int) -> StackSpec:
    return managed(port, replicas=2, rollout=BRIEF)


@pytest.mark.together(runtime="process", balancer="haproxy elsewhere", registry=("consul", "zookeeper"))
@pytest.mark.parametrize("kind", ["consul", "zookeeper"])
def test_releases_reach_a_box_and_no_request_fails(kind: str) -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.box.users(slow_path="/slow?seconds=0.5") as load:
            for tag in ("0.0.2", "0.0.3"):
                rollout = await scene.house.deploy("web", tag)
                assert rollout["outcome"]["exit_code"] == 0, rollout
                assert await scene.box.version() == tag
                assert (await scene.house.final(rollout["id"]))["phase"] == "done"
            assert "in step" in (await scene.house.cli("status")).out
            await scene.house.post("/v1/services/web/scale", {"replicas": 1})
            await until(lambda: has_instances(scene.house, 1), timeout=30.0)
            unharmed(await load.stop())

    play(shop, scenario, kind=kind)


@pytest.mark.together(runtime="process", balancer="haproxy", registry="consul")
def test_switches_reach_a_box_and_the_balancer_beside_the_controller() -> None:
    async def scenario(scene: Scene) -> None:
        house, box = scene.house, scene.box
        async with box.users() as there, house.users() as here:
            for turn in range(6):
                rollout = await house.switch("lbx", ("webx-blue", "webx-green")[turn % 2])
                assert rollout["outcome"]["exit_code"] == 0, rollout
                assert await box.version() == await house.version() == ("0.0.2", "0.0.1")[turn % 2]
            unharmed(await there.stop())
            unharmed(await here.stop())

    play(two_colors, scenario, own="haproxy")


def test_a_switch_waits_for_a_frozen_registry_and_says_so() -> None:
    async def scenario(scene: Scene) -> None:
        house, box = scene.house, scene.box
        async with box.users() as load:
            scene.server.freeze()
            began = await house.post("/v1/routes/lbx/switch", {"target": "webx-blue"})
            await until(lambda: doubts(box), timeout=30.0)

            async def told() -> bool:
                events = await house.get("/v1/events?service=webx-blue")
                return any("Consul" in e["message"] and "trying again" in e["message"] for e in events)

            await until(told, timeout=30.0)
            assert "the registry is behind for" in (await house.cli("status")).out
            assert await box.version() == "0.0.1"
            scene.server.thaw()
            ended = await house.settled(began["rollout"]["id"])
            assert ended["outcome"]["exit_code"] == 0, ended
            assert await box.version() == "0.0.2"
            await until(lambda: believes(box), timeout=30.0)
            unharmed(await load.stop())

    play(two_colors, scenario)


def test_a_registry_is_killed_during_a_switch_and_has_lost_everything() -> None:
    async def scenario(scene: Scene) -> None:
        house, box = scene.house, scene.box
        async with box.users() as load:
            scene.server.kill()
            began = await house.post("/v1/routes/lbx/switch", {"target": "webx-blue"})
            await until(lambda: doubts(box), timeout=30.0)
            assert await box.version() == "0.0.1"
            scene.server.forget()
            await asyncio.to_thread(scene.server.start)
            ended = await house.settled(began["rollout"]["id"])
            assert ended["outcome"]["exit_code"] == 0, ended
            assert await box.version() == "0.0.2"
            unharmed(await load.stop())

    play(two_colors, scenario)


def test_the_controller_and_the_follower_die_and_the_registry_too() -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.box.users() as load:
            scene.house.kill()
            scene.box.kill()
            scene.server.kill()
            assert await scene.box.version() == "0.0.1"
            scene.box.start()  # with nothing but its own copy
            await until(lambda: doubts(scene.box), timeout=30.0)
            assert await scene.box.version() == "0.0.1"
            scene.server.start()
            await scene.server.until_ready()
            await scene.house.start()
            await until(lambda: switches(scene, "webx-blue"), timeout=60.0)
            assert await scene.box.version() == "0.0.2"
            unharmed(await load.stop())

    play(two_colors, scenario)


def test_no_old_color_is_ended_while_a_box_that_followed_is_not_heard_of() -> None:
    async def scenario(scene: Scene) -> None:
        house, box = scene.house, scene.box
        refused = await house.cli("box", "forget", "north")
        assert (refused.code, "box_follows" in refused.err) == (2, True), refused
        async with box.users() as load:
            box.end()
            held = await held_for(house, await house.deploy("web", "0.0.2"), "box north is not heard of")
            assert "not heard of" in (await house.cli("status")).out
            assert (await house.version(), await box.version()) == ("0.0.2", "0.0.1")
            box.start()
            assert (await house.final(held["id"]))["phase"] == "done"
            assert await box.version() == "0.0.2"
            unharmed(await load.stop())
        box.end()
        held = await held_for(house, await house.deploy("web", "0.0.3"), "box north is not heard of")
        forgotten = await house.cli("box", "forget", "north")
        assert (forgotten.code, "forgotten in" in forgotten.out) == (0, True), forgotten
        assert (await house.final(held["id"]))["phase"] == "done"
        assert "not heard of" not in (await house.cli("box", "ls")).out

    play(shop, scenario, own="haproxy")


async def held_for(house: House, rollout: dict[str, Any], why: str) -> dict[str, Any]:
    """Wait until a rollout that succeeded for users ends nothing, and says why."""
    assert rollout["outcome"]["exit_code"] == 0, rollout

    async def told() -> bool:
        events = await house.get(f"/v1/events?rollout={rollout['id']}")
        return any(e["kind"] == "rollout.held" and why in e["message"] for e in events)

    await until(told, timeout=30.0)
    return rollout


@pytest.mark.together(runtime="process", balancer="nginx elsewhere", registry="consul")
def test_a_box_behind_nginx_follows_within_the_bound_of_reloads() -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.box.users() as load:
            for target in ("webx-blue", "webx-green"):
                rollout = await scene.house.switch("lbx", target)
                assert rollout["outcome"]["exit_code"] == 0, rollout
            result = await load.stop()
            assert result.requests > 100
            assert result.failed <= 2 * LIGHT["keepalive"], result.first_failures

    play(two_colors, scenario, elsewhere="nginx")


@pytest.mark.docker
@pytest.mark.together(runtime="docker", balancer="haproxy elsewhere", registry="consul")
def test_a_box_in_another_network_follows_and_outlives_a_partition(stocked: DockerEngine) -> None:
    async def main() -> None:
        with a_consul(client_addr="0.0.0.0") as consul:
            await consul.until_ready()
            port = consul.address.rpartition(":")[2]
            async with House.standing("docker", stocked.url, registry=f"consul://{consul.address}") as house:
                await house.up(open_to_all(two_colors(house.port)))
                bridge, gateway, own, prefix = docker_network(stocked, "cloud")
                registry = f"consul://{gateway}:{port}"
                with namespace_at(bridge, own, prefix) as elsewhere:
                    options = {"inside": elsewhere.inside, "host": own}
                    async with Box.following(registry, "cloud", house.port, **options) as box:
                        await until(box.serves, timeout=30.0)
                        async with box.users() as load:
                            await switched(house, "webx-blue")
                            assert await box.version() == "0.0.2"
                            with elsewhere.cut_off_from(int(port)):
                                began = await house.post("/v1/routes/lbx/switch", {"target": "webx-green"})
                                await until(lambda: doubts(box), timeout=60.0)
                                assert await box.version() == "0.0.2"
                            await house.settled(began["rollout"]["id"])
                            await until(lambda: box.serves("0.0.1"), timeout=30.0)
                            unharmed(await load.stop())

    asyncio.run(main())


def open_to_all(stack: StackSpec) -> StackSpec:
    (balancer,) = stack.balancers
    listeners = tuple(replace(listener, address="") for listener in balancer.listeners)
    return replace(stack, balancers=(replace(balancer, listeners=listeners),))


def docker_network(engine: DockerEngine, stack: str) -> tuple[str, str, str, int]:
    """Return the bridge of a stack's network, the host's address on it, a free one, and the prefix."""
    (found,) = json.loads(engine.docker("network", "inspect", f"bluegreen_{stack}"))
    (pool,) = found["IPAM"]["Config"]
    network = ipaddress.ip_network(pool["Subnet"])
    return f"br-{found['Id'][:12]}", pool["Gateway"], str(network[-2]), network.prefixlen


async def switched(house: House, target: str) -> None:
    rollout = await house.switch("lbx", target)
    assert rollout["outcome"]["exit_code"] == 0, rollout


async def has_instances(house: House, count: int) -> bool:
    return len(await house.get("/v1/instances?service=web")) == count


def doubts(box: Box) -> bool:
    return any(line["kind"] == "registry.doubted" for line in box.told())


def believes(box: Box) -> bool:
    return any(line["kind"] == "registry.believed" for line in box.told())


async def switches(scene: Scene, target: str) -> bool:
    return (await scene.house.cli("switch", "lbx", target)).code == 0
