"""A world in which rollouts are played by the pure rules alone: no engine, no ports, no time but ours.

One :meth:`Simulator.turn` is what the engine does between two looks: facts → decide → gate → apply or
perform. The promises of the design are checked right where a step takes effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bluegreen.domain import slots
from bluegreen.domain.decide import Do, Record, Wait, decide
from bluegreen.domain.facts import Facts, InstanceFacts, PoolView
from bluegreen.domain.health import Health, Verdict
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.invariants import no_way_back, violations
from bluegreen.domain.naming import Color, PoolId, color_of
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import (
    BEFORE_TRAFFIC,
    TRANSITIONS,
    Happened,
    Kind,
    Phase,
    Reason,
    Rollout,
    apply,
)
from bluegreen.domain.routing import Admin, ServerFacts, ServerHealth
from bluegreen.domain.spec import RestartPolicy
from bluegreen.domain.steps import Admit, Prepare, SetWeights, StartPool, Step, StopPool
from bluegreen.domain.upkeep import upkeep
from tests.unit.domain.cases import BLUE, CHECK, GREEN, NOW, POLICY, WEB, instance, record

POOLS = (BLUE, GREEN)
FURTHER = {Happened.PROVED, Happened.STEP_HELD, Happened.BAKED, Happened.DRAINED, Happened.CLOSED}
QUICK = replace(POLICY, start_deadline=20, bake=10, drain=5, step_pause=2)


@dataclass(slots=True)
class Simulator:
    """``probed`` names what our probe has looked at since the controller started; ``servers`` what the
    balancer knows; ``broken`` collects every promise that was broken."""

    replicas: int = 2
    now: float = NOW
    record: ServiceRecord = field(default_factory=record)
    rollout: Rollout | None = None
    ended: list[Rollout] = field(default_factory=list)
    instances: dict[str, Instance] = field(default_factory=dict)
    sick: set[str] = field(default_factory=set)
    probed: set[str] = field(default_factory=set)
    servers: set[str] = field(default_factory=set)
    weights: dict[PoolId, int] = field(default_factory=lambda: {BLUE: 100})
    in_flight: dict[PoolId, int] = field(default_factory=lambda: {BLUE: 0, GREEN: 0})
    silent: bool = False
    broken: list[str] = field(default_factory=list)
    had_traffic: bool = False
    asked_back: bool = False
    drained_from: float = 0.0

    def __post_init__(self) -> None:
        self.record = replace(self.record, replicas=self.replicas)
        for index in range(1, self.replicas + 1):
            self.start(BLUE, 1, index)
        self.servers = set(self.instances)
        self.probed = set(self.instances)

    # -- the world -----------------------------------------------------------------------------

    def start(self, pool: PoolId, release: int, index: int) -> None:
        found = instance(pool, index, release=release, started_at=self.now, incarnation=str(self.now))
        if found.name not in self.instances or not self.instances[found.name].running:
            self.instances[found.name] = found
            self.probed.discard(found.name)

    def of(self, pool: PoolId) -> list[Instance]:
        return [i for i in self.instances.values() if i.pool == pool]

    def serves(self, pool: PoolId) -> bool:
        return any(i.running and i.name in self.servers and i.name not in self.sick for i in self.of(pool))

    def served(self) -> bool:
        return any(self.serves(pool) for pool, share in self.weights.items() if share)

    def die(self, name: str) -> None:
        self.instances[name] = replace(self.instances[name], state=InstanceState.EXITED, exit_code=1)
        self.servers.discard(name)

    # -- what is seen --------------------------------------------------------------------------

    def facts(self, rollout: Rollout) -> Facts:
        return Facts(
            now=self.now,
            target=self.view(rollout.target, rollout.release if rollout.starts_target else None),
            source=None if rollout.source is None else self.view(rollout.source),
            weights=None if self.silent else {WEB: dict(self.weights)},
        )

    def view(self, pool: PoolId, release: int | None = None) -> PoolView:
        found = tuple(self._seen(i) for i in self.of(pool) if release in (None, i.release))
        in_flight = None if self.silent else self.in_flight[pool]
        return PoolView(id=pool, check=CHECK, instances=found, in_flight=in_flight)

    def _seen(self, found: Instance) -> InstanceFacts:
        verdict = Verdict.SICK if found.name in self.sick else Verdict.HEALTHY
        if found.name not in self.probed:
            verdict = Verdict.STARTING
        server = None
        if found.name in self.servers and not self.silent:
            health = ServerHealth.DOWN if found.name in self.sick else ServerHealth.UP
            server = ServerFacts(name=found.name, host="h", port=1, admin=Admin.READY, health=health)
        return InstanceFacts(instance=found, health=Health(verdict=verdict), server=server)

    # -- what is done --------------------------------------------------------------------------

    def turn(self) -> bool:
        """Play one decision; return whether there may be another one without waiting."""
        rollout = self.rollout
        if rollout is None:
            return False
        seen = self.facts(rollout)
        match decide(rollout, seen):
            case Wait():
                return False
            case Record(happened, reason):
                if rollout.paused and happened in FURTHER:
                    self.broken.append(f"{happened} while paused")
                self.happen(happened, reason)
            case Do(step):
                if violations(rollout, seen, step):
                    return False
                self._perform(rollout, step)
        return True

    def happen(self, happened: Happened, reason: Reason | None = None) -> None:
        assert self.rollout is not None
        before = self.rollout
        self.rollout = apply(before, happened, self.now, reason)
        self.record = slots.after(self.record, self.rollout, happened) or self.record
        if self.rollout.phase is Phase.DRAINING and before.phase is not Phase.DRAINING:
            self.drained_from = self.now
        by_itself = happened is Happened.FAILED and self.rollout.phase is Phase.REVERTING
        if by_itself and before.kind is Kind.ROLLBACK and self.had_traffic:
            self.broken.append("a rollback was rolled back")
        if self.rollout.final:
            self.ended.append(self.rollout)
            self.rollout = None

    def _perform(self, rollout: Rollout, step: Step) -> None:
        served = self.served()
        match step:
            case Prepare():
                self.happen(Happened.PREPARED)
            case StartPool(pool, replicas):
                self._start_pool(pool, rollout.release, replicas)
            case Admit(pool):
                self._admit(pool)
            case SetWeights(_, weights):
                self._move(rollout, dict(weights))
            case StopPool(pool):
                self._stop(rollout, pool)
        if served and not self.served() and any(self.serves(pool) for pool in POOLS):
            self.broken.append(f"{step} took the traffic from what served")

    def _start_pool(self, pool: PoolId, release: int, replicas: int) -> None:
        for index in range(1, replicas + 1):
            self.start(pool, release, index)

    def _admit(self, pool: PoolId) -> None:
        self.servers |= {one.instance.name for one in self.view(pool).well(self.now)}

    def _move(self, rollout: Rollout, weights: dict[PoolId, int]) -> None:
        if sum(weights.values()) != 100:
            self.broken.append(f"weights {weights}")
        self.weights = weights
        self.had_traffic = self.had_traffic or weights.get(rollout.target, 0) > 0

    def _stop(self, rollout: Rollout, pool: PoolId) -> None:
        if pool == rollout.source:
            if rollout.paused:
                self.broken.append("the old pool was stopped while paused")
            waited = self.now >= self.drained_from + rollout.policy.drain
            if self.in_flight[pool] and not waited:
                self.broken.append("the old pool was stopped with requests in flight")
            if not self.view(rollout.target).well(self.now):
                self.broken.append("the old pool was stopped while the new one was not well")
        if self.weights.get(pool, 0):
            self.broken.append(f"{pool} was stopped under traffic")
        for name in [i.name for i in self.of(pool)]:
            del self.instances[name]
            self.servers.discard(name)
        self.in_flight[pool] = 0

    def tend(self) -> None:
        """The service's upkeep, and the balancer's members with it."""
        found = list(self.instances.values())
        plan = upkeep(self.record, self.rollout, found, dict.fromkeys(range(99), RestartPolicy.ALWAYS))
        for place in plan.start:
            self.start(BLUE if place.color is Color.BLUE else GREEN, place.release, place.index)
        for name in plan.remove:
            del self.instances[name]
            self.servers.discard(name)
        for color in slots.tended(self.record, self.rollout):
            self._admit(BLUE if color is Color.BLUE else GREEN)

    # -- what people ask -----------------------------------------------------------------------

    def deploy(self, kind: Kind = Kind.DEPLOY, shares: tuple[int, ...] = (100,)) -> None:
        """Begin a rollout if none is under way; late and repeated commands change nothing."""
        if self.rollout is not None:
            return
        color = next(iter(self.record.releases))
        number = 2 + len(self.ended)
        self.had_traffic = False
        self.rollout = Rollout(
            id=str(number),
            kind=kind,
            stack="shop",
            service="web",
            target=BLUE if color is Color.GREEN else GREEN,
            source=GREEN if color is Color.GREEN else BLUE,
            routes=(WEB,),
            release=number,
            source_release=self.record.releases[color],
            replicas=self.replicas,
            policy=replace(QUICK, shares=shares),
            since=self.now,
        )

    def ask(self, happened: Happened) -> None:
        """A person's request, at any time, however late: taken only where the engine would take it."""
        rollout = self.rollout
        if rollout is None or (rollout.phase, happened) not in TRANSITIONS:
            return
        back = happened in {Happened.CANCELLED, Happened.ROLLED_BACK} and rollout.phase not in BEFORE_TRAFFIC
        source = None if rollout.source is None else self.view(rollout.source)
        if back and no_way_back(rollout, self.view(rollout.target), source):
            return
        unsettled = rollout.phase is Phase.BAKING and not rollout.settled
        if happened is Happened.SUPERSEDED and (unsettled or rollout.paused):
            return
        self.happen(happened)

    def quiet(self, turns: int = 400) -> None:
        """Let every misfortune end, people let it go on, and time pass."""
        self.ask(Happened.RESUMED)
        self.sick.clear()
        self.silent = False
        for _ in range(turns):
            self.in_flight = {pool: 0 for pool in POOLS}
            while self.turn():
                pass
            self.tend()
            self.probed = set(self.instances)
            self.now += 0.5


Move = Callable[[Simulator], None]
assert color_of(BLUE) is Color.BLUE
