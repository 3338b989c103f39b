"""The misfortunes that the fake runtime can send: the engine's tests are only as good as these."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bluegreen.domain.errors import OutcomeUnknown, Temporary
from bluegreen.domain.instance import InstanceSpec, InstanceState, RuntimeEventKind
from bluegreen.domain.spec import RestartPolicy, ServiceSpec
from bluegreen.testing.fake_runtime import Behaviour, FakeRuntime
from bluegreen.testing.runtime_contract import watching
from bluegreen.testing.waiting import until

LOST = OutcomeUnknown("no answer", code="timeout")


def instance(index: int = 1, restart: RestartPolicy = RestartPolicy.NO) -> InstanceSpec:
    return InstanceSpec(
        name=f"shop-web-r1-{index}",
        stack="shop",
        service="web",
        release=1,
        index=index,
        color=None,
        image="web:1",
        config_hash="hash",
        spec=ServiceSpec(name="web", image="web:1", restart=restart),
    )


def play(scenario: Callable[[FakeRuntime], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(scenario(FakeRuntime()), 10)

    asyncio.run(main())


def test_the_nth_call_fails_without_or_with_its_effect() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        runtime.fail("start", Temporary("busy", code="busy"), nth=2)
        await runtime.start(instance(1))
        with pytest.raises(Temporary):
            await runtime.start(instance(2))
        assert set(runtime.instances) == {instance(1).name}
        runtime.fail("start", LOST, after=True)
        with pytest.raises(OutcomeUnknown):
            await runtime.start(instance(3))
        assert runtime.instances[instance(3).name].running
        assert runtime.calls == [("start", instance(n).name) for n in (1, 2, 3)]

    play(scenario)


@pytest.mark.parametrize("after", [False, True])
def test_a_call_that_hangs_does_so_before_or_after_its_effect(after: bool) -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        runtime.hang("start", after=after)
        hanging = asyncio.create_task(runtime.start(instance()))
        await until(lambda: runtime.calls)
        await asyncio.wait({hanging}, timeout=0.05)
        assert not hanging.done()
        assert bool(runtime.instances) is after
        hanging.cancel()

    play(scenario)


def test_frozen_nothing_is_answered_until_it_thaws() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        runtime.freeze()
        waiting = asyncio.create_task(runtime.list())
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()
        runtime.thaw()
        assert await waiting == ()

    play(scenario)


def test_the_tap_sees_each_call_before_and_after_its_effect() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        seen: list[tuple[str, str, int]] = []
        runtime.tap = lambda when, method, _subject: seen.append((when, method, len(runtime.instances)))
        await runtime.start(instance())
        await runtime.remove(instance().name)
        assert seen == [
            ("before", "start", 0),
            ("after", "start", 1),
            ("before", "remove", 1),
            ("after", "remove", 0),
        ]

    play(scenario)


def test_a_gap_in_the_events_ends_with_resync() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        async with watching(runtime) as events:
            mend = runtime.lose()
            await runtime.start(instance())
            mend()
            await until(lambda: len(events) == 2)
            assert [e.kind for e in events] == [RuntimeEventKind.RESYNC] * 2

    play(scenario)


def test_a_crash_loop_ends_in_a_long_wait() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        runtime.behaves = lambda _spec: Behaviour(exits=1)
        await runtime.start(instance(restart=RestartPolicy.ALWAYS))
        (looping,) = await runtime.list()
        assert (looping.state, looping.restarts) == (InstanceState.RESTARTING, FakeRuntime.crash_loop)

    play(scenario)


def test_deaths_health_addresses_and_removals_are_told() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        await runtime.start(instance())
        name = instance().name
        async with watching(runtime) as events:
            runtime.report(name, "unhealthy")
            runtime.move(name, "10.9.9.9", 81)
            assert (runtime.instances[name].host, runtime.instances[name].health) == ("10.9.9.9", "unhealthy")
            runtime.crash(name, oom=True)
            assert runtime.instances[name].oom_killed
            runtime.vanish(name)
            kinds = RuntimeEventKind
            told = [kinds.RESYNC, kinds.HEALTH, kinds.ADDRESS, kinds.OOM, kinds.DIED, kinds.REMOVED]
            await until(lambda: [e.kind for e in events] == told)

    play(scenario)


def test_two_runs_are_the_same() -> None:
    async def scenario(runtime: FakeRuntime) -> None:
        await runtime.start(instance())
        results.append(await runtime.list())

    results: list[object] = []
    play(scenario)
    play(scenario)
    assert results[0] == results[1]
