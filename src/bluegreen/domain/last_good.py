"""Whether to believe a registry. Pure.

A registry may be empty, partial, old or wrong, and says so to nobody. It may add instances and take some
away; it may never take a route's last ones: then what was last good stays, and the balancer's own checks
decide who of them gets requests. Background: nerve and synapse, consul-template and their kind lost whole
services to an empty answer, to a session that expired, to a stale leader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from bluegreen.domain.announcement import Announcement
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.publication import Picture, Share, Structure, live_pools, pool_of

GRACE = 30.0
"""Seconds for which an instance with traffic stays that is gone without having been marked as draining."""


class _Revised(Protocol):
    @property
    def revision(self) -> int: ...


R = TypeVar("R", bound=_Revised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is acted on, and why it is not just what was said last.

    ``missed`` holds since when (UNIX seconds) each instance is gone that is kept all the same; ``doubts`` are
    words for people, empty when what was said is believed as it is.
    """

    picture: Picture = field(default_factory=Picture)
    missed: Mapping[str, float] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


def believe(last: Belief, said: Picture, now: float) -> Belief:
    """Return what to act on after the registry said ``said``. ``now`` is UNIX seconds."""
    doubts: list[str] = []
    structure = _structure(last.picture.structure, said, doubts)
    if structure is None:
        return replace(last, doubts=tuple(doubts))
    if not structure.routing.routes and not structure.routing.pools:
        picture = Picture(structure=structure, revision=max(said.revision, last.picture.revision))
        return Belief(picture=picture, doubts=tuple(doubts))
    present = _serving(said.members) | _serving(last.picture.members)
    shares = _shares(structure, last.picture.shares, said.shares, present, doubts)
    members, missed = _members(last, said, live_pools(shares.values()), now, doubts)
    picture = Picture(
        structure=structure,
        shares=shares,
        members=members,
        unwell=said.unwell,
        revision=max(said.revision, last.picture.revision),
    )
    return Belief(picture=picture, missed=missed, doubts=tuple(doubts))


def _structure(last: Structure | None, said: Picture, doubts: list[str]) -> Structure | None:
    """Return the structure to act on; ``None`` when everything stays as it was."""
    if said.structure is None:
        empty = not said.members and not said.shares
        doubts.append(
            "the registry knows nothing of this stack" if empty else "the registry has no structure of it"
        )
        return None if last is None or empty else last
    return _newer(last, said.structure, "the structure", doubts)


def _shares(
    structure: Structure,
    last: Mapping[RouteId, Share],
    said: Mapping[RouteId, Share],
    present: set[PoolId],
    doubts: list[str],
) -> dict[RouteId, Share]:
    """Return the weights to act on: never those that give a route to a pool of which nobody was ever seen."""
    found = {}
    for route in structure.routing.routes:
        known, share = last.get(route), said.get(route)
        if share is not None:
            share = _newer(known, share, f"the weights of {route}", doubts)
        elif known is not None:
            doubts.append(f"the registry has no weights of {route}")
        absent = live_pools([share] if share else []) - present
        if absent and known is not None and not live_pools([known]) - present:
            doubts.append(f"{route} is to go to {', '.join(sorted(absent))}, of which nobody is announced")
            share = None
        chosen = share or known
        if chosen is not None:
            found[route] = chosen
    return found


def _serving(members: Mapping[str, Announcement]) -> set[PoolId]:
    return {pool_of(member) for member in members.values() if not member.draining}


def _newer(known: R | None, said: R, what: str, doubts: list[str]) -> R:
    if known is None or said.revision >= known.revision:
        return said
    doubts.append(f"{what} came older than it was seen before")
    return known


def _members(
    last: Belief, said: Picture, live: set[PoolId], now: float, doubts: list[str]
) -> tuple[dict[str, Announcement], dict[str, float]]:
    """Return the members to act on, and since when those are gone that are kept."""
    members = dict(said.members)
    missed: dict[str, float] = {}
    kept = last.picture.members
    serving = _serving(said.members)
    for name, member in kept.items():
        pool = pool_of(member)
        if name in said.members or member.draining or pool not in live:
            continue
        since = last.missed.get(name, now)
        if pool not in serving or now - since < GRACE:
            members[name], missed[name] = member, since
    gone = Counter(pool_of(kept[name]) for name in missed)
    for pool, count in sorted(gone.items()):
        left = "and nobody else of it is left" if pool not in serving else "without having been drained"
        doubts.append(f"{count} of {pool} vanished from the registry {left}: kept, the check decides")
    _keep_draining(last, said, live - serving, members, doubts)
    return members, missed


def _keep_draining(
    last: Belief, said: Picture, bare: set[PoolId], members: dict[str, Announcement], doubts: list[str]
) -> None:
    """Keep in rotation who is said to drain where that would leave a route with nobody at all."""
    for name, member in last.picture.members.items():
        told = said.members.get(name)
        if told is not None and told.draining and not member.draining and pool_of(member) in bare:
            members[name] = replace(told, draining=False)
            doubts.append(f"{name} is said to drain, but it is the last of {pool_of(member)}: kept")
