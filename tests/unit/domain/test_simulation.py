"""Random misfortunes and commands, played against the pure rules: every promise holds at every step."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import STEERING, Happened, Kind, Phase
from tests.unit.domain.cases import BLUE, GREEN
from tests.unit.domain.simulator import POOLS, Move, Simulator

SHARES = ((100,), (50, 100), (10, 30))


def _name(simulator: Simulator, pool: PoolId, index: int) -> str | None:
    found = sorted(i.name for i in simulator.of(pool))
    return found[index % len(found)] if found else None


def die(pool: PoolId, index: int) -> Move:
    def move(simulator: Simulator) -> None:
        if (name := _name(simulator, pool, index)) is not None:
            simulator.die(name)

    return move


def vanish(pool: PoolId, index: int) -> Move:
    def move(simulator: Simulator) -> None:
        if (name := _name(simulator, pool, index)) is not None:
            simulator.die(name)
            del simulator.instances[name]

    return move


def sicken(pool: PoolId, index: int, sick: bool) -> Move:
    def move(simulator: Simulator) -> None:
        name = _name(simulator, pool, index)
        if name is not None:
            (simulator.sick.add if sick else simulator.sick.discard)(name)
            simulator.probed.add(name)

    return move


def probe(pool: PoolId, index: int) -> Move:
    def move(simulator: Simulator) -> None:
        if (name := _name(simulator, pool, index)) is not None:
            simulator.probed.add(name)

    return move


def load(pool: PoolId, busy: bool) -> Move:
    def move(simulator: Simulator) -> None:
        if not busy:
            simulator.in_flight[pool] = 0
        elif simulator.weights.get(pool):  # new requests come only where the traffic goes
            simulator.in_flight[pool] += 1

    return move


def wait(seconds: float) -> Move:
    def move(simulator: Simulator) -> None:
        simulator.now += seconds

    return move


def silence(silent: bool) -> Move:
    def move(simulator: Simulator) -> None:
        simulator.silent = silent

    return move


def restart(simulator: Simulator) -> None:
    """A new controller knows what runs and what the balancer carries, and has probed nothing."""
    simulator.probed.clear()


def turns(count: int) -> Move:
    def move(simulator: Simulator) -> None:
        for _ in range(count):
            simulator.turn()

    return move


def probe_all(simulator: Simulator) -> None:
    simulator.probed = set(simulator.instances)


pools, places, flags = st.sampled_from(POOLS), st.integers(0, 2), st.booleans()
moves = st.one_of(
    st.builds(turns, st.integers(1, 6)),
    st.just(probe_all),
    st.just(Simulator.tend),
    st.builds(wait, st.sampled_from([0.1, 1.0, 4.0, 11.0])),
    st.builds(die, pools, places),
    st.builds(vanish, pools, places),
    st.builds(sicken, pools, places, flags),
    st.builds(probe, pools, places),
    st.builds(load, pools, flags),
    st.builds(silence, flags),
    st.just(restart),
    st.builds(
        lambda kind, shares: lambda s: s.deploy(kind, shares),
        st.sampled_from([Kind.DEPLOY, Kind.ROLLBACK]),
        st.sampled_from(SHARES),
    ),
    st.builds(
        lambda asked: lambda s: s.ask(asked),
        st.sampled_from([Happened.CANCELLED, Happened.ROLLED_BACK, Happened.SUPERSEDED, *STEERING]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(moves, max_size=60), st.integers(1, 3), st.sampled_from(SHARES))
def test_whatever_happens_every_promise_holds(
    played: list[Move], replicas: int, shares: tuple[int, ...]
) -> None:
    simulator = Simulator(replicas=replicas)
    simulator.deploy(shares=shares)
    for move in played:
        move(simulator)
        assert not simulator.broken
    simulator.quiet()
    assert not simulator.broken
    assert simulator.rollout is None, simulator.rollout
    assert simulator.served()
    assert sum(simulator.weights.values()) == 100
    live = {i.release for pool in simulator.weights for i in simulator.of(pool)}
    assert live == set(simulator.record.releases.values())
    assert len(simulator.instances) == replicas


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHARES), st.integers(1, 3))
def test_undisturbed_every_deploy_succeeds(shares: tuple[int, ...], replicas: int) -> None:
    simulator = Simulator(replicas=replicas)
    for number in range(2, 5):
        simulator.deploy(shares=shares)
        simulator.quiet()
        assert [r.phase for r in simulator.ended] == [Phase.DONE] * (number - 1)
        assert {i.release for i in simulator.instances.values()} == {number}
    assert simulator.weights == {GREEN: 100}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHARES), flags)
def test_deploying_works_when_the_live_color_is_dead(shares: tuple[int, ...], gone: bool) -> None:
    simulator = Simulator()
    for index in (0, 1):
        (vanish(BLUE, 0) if gone else die(BLUE, index))(simulator)
    simulator.deploy(shares=shares)
    simulator.quiet()
    assert [r.phase for r in simulator.ended] == [Phase.DONE]
    assert simulator.served()
