"""What hangs is restarted by the safe sequence, what is only sick is not, and people have their say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bluegreen.domain.agent import COMPAT_CHECK, Agent, AgentMode
from bluegreen.domain.check import HealthCheck, signs_of_life
from bluegreen.domain.errors import UserError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Admin, ServerHealth
from bluegreen.domain.spec import RestartPolicy
from bluegreen.engine.commands import instances, maintenance, stacks
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Query
from bluegreen.testing.virtual_time import run
from tests.unit.engine.play import play
from tests.unit.engine.world import CHECK, World, bring_up, managed, until

BLUE = PoolId("shop.web.blue")
FIRST, SECOND = "shop-web-r1-1", "shop-web-r1-2"
KEY = ("shop", "web")
ASKED = Agent(check=HealthCheck(path="/ping", interval=10.0, timeout=3.0))


def incarnation(world: World, name: str) -> str:
    return world.runtime.instances[name].incarnation


def admins(world: World) -> dict[str, Admin]:
    return {server.name: server.admin for server in world.balancer.routing.pools[BLUE].servers}


async def told(world: World) -> list[str]:
    return [event.kind for event in await world.journal.events(Query(limit=1000))]


def test_what_hangs_is_drained_stopped_started_and_in_again() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = incarnation(world, FIRST)
        world.hang(FIRST)
        await until(lambda: incarnation(world, FIRST) != before)
        await until(lambda: admins(world) == {FIRST: Admin.READY, SECOND: Admin.READY})
        kinds = await told(world)
        story_of_it = ["instance.out", "instance.hung", "instance.stopped", "instance.started", "instance.in"]
        assert [kind for kind in kinds if kind in story_of_it][-5:] == story_of_it
        record = engine.ledger.services[KEY]
        await until(lambda: not engine.ledger.services[KEY].overrides)
        assert len(record.recycled) == 1

    # Its policy would leave it stopped: the restart brings it back all the same.
    play(story, managed(replicas=2, restart=RestartPolicy.NO))


def test_one_that_answers_not_ready_is_out_but_not_restarted() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = incarnation(world, FIRST)
        world.sick.add(FIRST)
        world.complain(FIRST)
        await asyncio.sleep(120)
        assert incarnation(world, FIRST) == before
        assert "instance.out" in await told(world)
        world.sick.clear()
        world.complain(FIRST, ServerHealth.UP)
        await asyncio.sleep(1)
        assert (await told(world))[-1] == "instance.in"

    play(story, managed(replicas=2))


def test_when_all_hang_nothing_is_restarted_and_people_are_told_once() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = [incarnation(world, name) for name in (FIRST, SECOND)]
        world.watchman.off = True
        world.hang(FIRST, SECOND)
        await asyncio.sleep(120)
        assert [incarnation(world, name) for name in (FIRST, SECOND)] == before
        assert set(admins(world).values()) == {Admin.READY}
        alarms = [
            e.message for e in await world.journal.events(Query(limit=1000)) if e.kind == "service.alarm"
        ]
        assert len(alarms) == 2
        assert "no instance passes its check" in alarms[0]
        assert "none of 2 instances serves" in alarms[1]
        assert engine.guardian.held(KEY) == "none_serves"

    play(story, managed(replicas=2))


def test_when_all_are_sick_they_stay_in_and_people_are_told_once() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.update((FIRST, SECOND))
        world.complain(FIRST)
        await until(lambda: engine.sentinel.against(BLUE, FIRST) is not None)
        assert engine.pools.alarm(KEY) == ""
        world.complain(SECOND)
        await asyncio.sleep(60)
        assert engine.pools.alarm(KEY) == "none_passes"
        kinds = await told(world)
        assert kinds.count("service.alarm") == 1
        assert kinds.count("instance.out") == kinds.count("instance.in") == 1  # while it was alone
        world.complain(SECOND, ServerHealth.UP)
        await asyncio.sleep(1)
        assert engine.pools.alarm(KEY) == ""
        assert (await told(world))[-1] == "instance.out"  # now one of two is sick

    play(story, managed(replicas=2))


@pytest.mark.parametrize("healed", [(FIRST, SECOND), (FIRST,), (SECOND,)], ids=str)
def test_when_a_shared_cause_is_over_only_what_still_hangs_is_restarted(healed: tuple[str, ...]) -> None:
    """They are asked one after the other: who is asked first must not condemn who was not asked again."""

    async def story(world: World, engine: Engine) -> None:
        before = {name: incarnation(world, name) for name in (FIRST, SECOND)}
        world.watchman.off = True
        world.hang(FIRST, SECOND)
        await until(lambda: engine.guardian.held(KEY) == "none_serves")
        for name in healed:
            world.hung.discard(before[name])
            world.complain(name, ServerHealth.UP)
        await asyncio.sleep(120)
        assert {name for name in before if incarnation(world, name) == before[name]} == set(healed)
        assert not engine.guardian.held(KEY)

    play(story, managed(replicas=2, agent=ASKED))


def test_what_hangs_is_restarted_one_after_the_other() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = {name: incarnation(world, name) for name in (FIRST, SECOND)}
        world.runtime.hang("stop")  # so that the first restart is not done when the second one is due
        world.hang(FIRST, SECOND)
        await until(lambda: all(incarnation(world, name) != before[name] for name in before), timeout=300)
        await until(lambda: not engine.ledger.services[KEY].overrides)
        kinds = [kind for kind in await told(world) if kind in ("instance.hung", "instance.restarted")]
        assert kinds == ["instance.hung", "instance.restarted"] * 2

    play(story, managed(replicas=3, agent=ASKED))


def test_what_the_agent_saw_counts_on_when_the_balancer_complains_too() -> None:
    async def story(world: World, engine: Engine) -> None:
        instance = world.runtime.instances[FIRST]
        world.hung.add(instance.incarnation)
        await until(lambda: engine.guardian.alive(instance).failures == 1)
        before = engine.guardian.alive(instance)
        world.complain(FIRST)
        await asyncio.sleep(1)  # the next look lies ahead
        assert engine.guardian.alive(instance) == before
        await until(lambda: incarnation(world, FIRST) != instance.incarnation)

    play(story, managed(replicas=2, agent=ASKED))


def test_what_a_person_paused_is_not_restarted() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = incarnation(world, FIRST)
        world.runtime.pause(FIRST)
        world.hung.add(before)
        await asyncio.sleep(120)
        assert incarnation(world, FIRST) == before
        world.hung.discard(before)
        world.runtime.resume(FIRST)
        await until(lambda: admins(world) == {FIRST: Admin.READY, SECOND: Admin.READY})
        assert "instance.hung" not in await told(world)

    play(story, managed(replicas=2, agent=ASKED))


def test_a_single_instance_that_serves_nobody_is_restarted() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = incarnation(world, FIRST)
        world.watchman.off = True
        world.hang(FIRST)
        await until(lambda: incarnation(world, FIRST) != before and world.serves() == {("web", 1)})

    play(story, managed())


def test_a_budget_ends_restarts_that_heal_nothing() -> None:
    async def story(world: World, engine: Engine) -> None:
        for _ in range(2):
            before = incarnation(world, FIRST)
            world.hang(FIRST)
            await until(lambda before=before: incarnation(world, FIRST) != before)  # type: ignore[misc]
            await until(lambda: len(admins(world)) == 2)
        last = incarnation(world, FIRST)
        world.hang(FIRST)
        await until(lambda: engine.guardian.held(KEY) == "circuit_open")
        assert incarnation(world, FIRST) == last
        await until(lambda: incarnation(world, FIRST) != last, timeout=700)

    play(story, managed(replicas=2, agent=Agent(budget=2, window=600.0)))


@pytest.mark.parametrize("agent", [Agent(mode=AgentMode.OFF)])
def test_an_agent_that_is_off_restarts_nothing(agent: Agent) -> None:
    async def story(world: World, engine: Engine) -> None:
        before = incarnation(world, FIRST)
        world.hang(FIRST)
        await asyncio.sleep(120)
        assert incarnation(world, FIRST) == before

    play(story, managed(replicas=2, agent=agent))


def test_the_agent_of_old_ends_the_process_at_the_first_failure() -> None:
    async def story(world: World, engine: Engine) -> None:
        await asyncio.sleep(15)  # its start period
        before = incarnation(world, FIRST)
        world.sick.add(FIRST)
        await until(lambda: incarnation(world, FIRST) != before, timeout=15)
        world.sick.clear()
        assert "instance.hung" in await told(world)

    agent = Agent(mode=AgentMode.COMPAT, check=COMPAT_CHECK)
    play(story, managed(replicas=2, agent=agent, restart=RestartPolicy.ALWAYS))


def test_a_restart_goes_on_after_the_controllers_death() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed(replicas=2, restart=RestartPolicy.NO))
            before = incarnation(world, FIRST)
            world.balancer.set_in_flight(BLUE, 1)
            await instances.restart(engine, FIRST, why="leak")
        async with world.controller() as engine:
            await until(lambda: incarnation(world, FIRST) != before)
            await until(lambda: len(admins(world)) == 2 and not engine.ledger.services[KEY].overrides)
        assert not world.watchman.gaps

    run(main())


def test_the_last_that_serves_is_not_restarted_by_hand_without_force() -> None:
    async def story(world: World, engine: Engine) -> None:
        with pytest.raises(UserError) as refused:
            await instances.restart(engine, FIRST)
        assert refused.value.code == "last_instance"
        before = incarnation(world, FIRST)
        world.watchman.off = True
        await instances.restart(engine, FIRST, force=True)
        await until(lambda: incarnation(world, FIRST) != before and len(world.serving(BLUE)) == 1)

    play(story, managed())


@pytest.mark.parametrize("hand", [instances.drain, instances.restart])
def test_two_hands_at_once_do_not_take_out_both(hand: Callable[..., Awaitable[None]]) -> None:
    async def story(world: World, engine: Engine) -> None:
        both = (hand(engine, name) for name in (FIRST, SECOND))
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert outcomes[0] is None
        assert isinstance(outcomes[1], UserError)
        assert outcomes[1].code == "last_instance"

    play(story, managed(replicas=2))


def test_a_slow_start_is_no_hang() -> None:
    """Once it hung it is restarted; that it then does not answer at once says nothing."""
    often = replace(signs_of_life(CHECK), interval=0.5, timeout=0.5, fall=2)

    async def story(world: World, engine: Engine) -> None:
        world.hung.add("incarnation-3")  # the one that follows
        before = incarnation(world, FIRST)
        world.hang(FIRST)
        await until(lambda: incarnation(world, FIRST) == "incarnation-3")
        await asyncio.sleep(4)
        assert incarnation(world, FIRST) == "incarnation-3"
        await until(lambda: incarnation(world, FIRST) not in (before, "incarnation-3"))
        await until(lambda: len(admins(world)) == 2)

    play(story, managed(replicas=2, agent=Agent(check=often)))


def test_what_is_forced_ends_by_itself() -> None:
    async def story(world: World, engine: Engine) -> None:
        await instances.drain(engine, FIRST, why="look", seconds=30)
        await until(lambda: admins(world)[FIRST] is Admin.DRAIN)
        await asyncio.sleep(25)
        assert admins(world)[FIRST] is Admin.DRAIN
        await until(lambda: admins(world)[FIRST] is Admin.READY, timeout=10)
        await instances.force_up(engine, FIRST, why="its check lies", seconds=30)
        await until(lambda: world.balancer.routing.pools[BLUE].servers[0].forced_up)
        world.hang(FIRST)
        before = incarnation(world, FIRST)
        await asyncio.sleep(25)
        assert incarnation(world, FIRST) == before, "a person said that it is up"
        assert (await told(world)).count("override.ended") == 1
        await until(lambda: incarnation(world, FIRST) != before)

    play(story, managed(replicas=2))


def test_the_runtimes_own_check_takes_out_one_of_two_and_never_the_last() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.report(FIRST, "unhealthy")
        await until(lambda: admins(world) == {FIRST: Admin.DRAIN, SECOND: Admin.READY}, timeout=1)
        world.runtime.report(SECOND, "unhealthy")
        await until(lambda: set(admins(world).values()) == {Admin.READY}, timeout=1)
        world.runtime.report(FIRST, "healthy")
        await until(lambda: admins(world) == {FIRST: Admin.READY, SECOND: Admin.DRAIN}, timeout=1)

    play(story, managed(replicas=2))


def test_maintenance_closes_a_route_and_survives_up() -> None:
    async def story(world: World, engine: Engine) -> None:
        await maintenance.begin(engine, "lb", why="new disks")
        closed = world.balancer.routing.routes[world.route].maintenance
        assert closed is not None
        assert (closed.why, closed.health_path) == ("new disks", "/ping")
        await stacks.up(engine, managed(replicas=2))
        assert world.balancer.routing.routes[world.route].maintenance == closed
        assert world.weights() == {BLUE: 100}
        await maintenance.end(engine, "lb")
        assert world.balancer.routing.routes[world.route].maintenance is None

    play(story, managed(replicas=2))


def test_a_pre_stop_command_runs_before_the_signal_and_may_fail() -> None:
    async def story(world: World, engine: Engine) -> None:
        await instances.restart(engine, FIRST)
        await until(lambda: ("stop", FIRST) in world.runtime.calls)
        calls = [call for call in world.runtime.calls if call[1] == FIRST and call[0] in ("execute", "stop")]
        assert [method for method, _ in calls] == ["execute", "stop"]

    spec = managed(replicas=2, pre_stop=("leave", "the", "cluster"))
    play(story, replace(spec))
