"""Keeping what is wanted running, between and during rollouts: pure.

Called by a service's loop at every look. Says which instances to start, stop and remove. It never
removes an instance of a color that a rollout owns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.naming import Color, color_of
from bluegreen.domain.override import Force, Overrides
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
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
    """``recycle`` is stopped so that it is found missing and started again; ``renewed`` names what was
    to be restarted and runs anew, or is gone."""

    start: tuple[Place, ...] = ()
    stop: tuple[str, ...] = ()
    recycle: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()


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
        running = (i.name for p, i in placed if p.color in colors and not i.over)
        return Upkeep(stop=tuple(sorted(running)))
    # Of several at one place the one that serves stays, however it is called; the others are too many.
    found = {p: i for p, i in sorted(placed, key=lambda one: (one[1].reachable, one[1].named_as_made))}
    wanted = {
        Place(color, release, index)
        for color, release in colors.items()
        for index in range(1, record.replicas + 1)
    }
    restarts = {n: o for n, o in record.overrides.items() if o.force is Force.RESTART}
    doomed = {found[p].name for p in wanted & found.keys() if _outlives(found[p], restarts)}
    missing = [
        p
        for p in wanted
        if p not in found or _start_again(found[p], policies.get(p.release), found[p].name in restarts)
    ]
    owned = _owned(rollout)
    surplus = [(p, i) for p, i in placed if p not in wanted or i is not found[p]]
    extra = [i.name for p, i in surplus if (p.color, p.release) not in owned]
    ended = {i.name for i in found.values() if i.over}
    return Upkeep(
        start=tuple(sorted(missing)),
        recycle=tuple(sorted(doomed)),
        remove=tuple(sorted(extra)),
        renewed=tuple(sorted(restarts.keys() - doomed - ended)),
    )


def _outlives(instance: Instance, restarts: Overrides) -> bool:
    """Whether the process that a restart is to end still runs."""
    restart = restarts.get(instance.name)
    return restart is not None and not instance.over and instance.incarnation == restart.incarnation


def _start_again(instance: Instance, policy: RestartPolicy | None, restart: bool) -> bool:
    """Whether its runtime is to be asked for it again: it ended, lost its network or its name."""
    if instance.state is InstanceState.CREATED or instance.cut_off:
        return True
    if instance.state is InstanceState.EXITED and restart:
        return True
    if not instance.over and not instance.named_as_made:
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
