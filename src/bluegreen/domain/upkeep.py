"""Keeping what is wanted running, between and during rollouts: pure.

Called by a service's loop at every look. Says which instances to start and remove, and who is to be
a server of each pool. It never removes an instance of a color that a rollout owns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bluegreen.domain.facts import PoolView
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.naming import Color, color_of
from bluegreen.domain.override import Force, Override
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.routing import Admin, Server
from bluegreen.domain.slots import tended
from bluegreen.domain.spec import RestartPolicy


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where one instance belongs: a release in a color, and its number there."""

    color: Color
    release: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    start: tuple[Place, ...] = ()
    stop: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def upkeep(
    record: ServiceRecord,
    rollout: Rollout | None,
    instances: Iterable[Instance],
    policies: Mapping[int, RestartPolicy],
) -> Upkeep:
    """Return what brings ``instances`` to what ``record`` wants.

    ``policies`` maps release numbers to their restart policy: an instance that ended is started
    again only where its policy would have it run.
    """
    placed = [(Place(i.color, i.release, i.index), i) for i in instances if i.color is not None]
    colors = tended(record, rollout)
    if record.stopped:
        running = (i.name for p, i in placed if p.color in colors and _runs(i))
        return Upkeep(stop=tuple(sorted(running)))
    # Of several at one place the one that serves stays, however it is called; the others are too many.
    found = {p: i for p, i in sorted(placed, key=lambda one: (one[1].reachable, one[1].named_as_made))}
    wanted = {
        Place(color, release, index)
        for color, release in colors.items()
        for index in range(1, record.replicas + 1)
    }
    missing = [p for p in wanted if p not in found or _start_again(found[p], policies.get(p.release))]
    owned = _owned(rollout)
    surplus = [(p, i) for p, i in placed if p not in wanted or i is not found[p]]
    extra = [i.name for p, i in surplus if (p.color, p.release) not in owned]
    return Upkeep(start=tuple(sorted(missing)), remove=tuple(sorted(extra)))


def _runs(instance: Instance) -> bool:
    return instance.state not in {InstanceState.EXITED, InstanceState.CREATED}


def _start_again(instance: Instance, policy: RestartPolicy | None) -> bool:
    """Whether its runtime is to be asked for it again: it ended, lost its network or its name."""
    if instance.state is InstanceState.CREATED or instance.cut_off:
        return True
    if _runs(instance) and not instance.named_as_made:
        return True
    keeps = policy in {RestartPolicy.ALWAYS, RestartPolicy.UNLESS_STOPPED}
    return instance.state is InstanceState.EXITED and keeps


def _owned(rollout: Rollout | None) -> frozenset[tuple[Color, int]]:
    """Return the releases, by color, that only the rollout may stop. What else is there is left over."""
    if rollout is None or rollout.final or not rollout.starts_target:
        return frozenset()
    target = (color_of(rollout.target), rollout.release)
    if rollout.source is None:
        return frozenset({target})
    return frozenset({target, (color_of(rollout.source), rollout.source_release)})


def abandoned(record: ServiceRecord, rollout: Rollout | None) -> frozenset[Color]:
    """Return the colors that are to have no servers: nothing is wanted there and no rollout uses them."""
    used = {color for color, _ in _owned(rollout)} | set(record.releases)
    return frozenset(Color) - used


def members(
    current: Iterable[Server], view: PoolView, overrides: Mapping[str, Override], now: float
) -> tuple[Server, ...]:
    """Return the servers a pool is to have.

    An instance enters once it is well and leaves when it no longer runs at its address. One that is
    in and turns sick stays in: taking it out of rotation is the balancer's check, which brings it
    back as well. One that is asked to end leaves at once, unless no other is there to take over. One
    that was renamed is still the same.
    """
    names = {facts.instance.name for facts in view.instances}
    before = {(s.name, s.host, s.port) for s in current}
    nameless = {(s.host, s.port) for s in current if s.name not in names}
    servers, ending = [], set()
    for facts in view.instances:
        instance = facts.instance
        if instance.host is None or instance.port is None or not instance.running:
            continue
        address = (instance.host, instance.port)
        known = (instance.name, *address) in before or address in nameless
        if known or facts.well(view.check, now):
            override = overrides.get(instance.name)
            out = override is not None and override.force is Force.OUT
            admin = Admin.DRAIN if out else Admin.READY
            servers.append(Server(name=instance.name, host=instance.host, port=instance.port, admin=admin))
            if instance.stopping:
                ending.add(instance.name)
    return _without(ending, servers, {f.instance.name for f in view.instances if f.failing})


def _without(ending: Collection[str], servers: list[Server], failing: Collection[str]) -> tuple[Server, ...]:
    """Return ``servers`` without those that end, if another one remains that may serve."""
    staying = [server for server in servers if server.name not in ending]
    able = any(server.admin is Admin.READY and server.name not in failing for server in staying)
    return tuple(staying if able else servers)
