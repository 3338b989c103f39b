"""What is different between two routings, found by identity first. Pure.

Unchanged parts are shared between a routing and its successor, so that looking for what changed costs
a pointer comparison per part. Rule: what HAProxy can be told at run time is never called structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from bluegreen.domain.routing import Pool, Route, Routing
from bluegreen.drivers.balancers.haproxy.backends import is_static

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Change:
    """``routes`` have other weights, ``pools`` (before, after) other servers. ``structure``: a reload."""

    structure: bool
    routes: tuple[Route, ...]
    pools: tuple[tuple[Pool, Pool], ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.structure or self.routes or self.pools)


def change_between(old: Routing, new: Routing) -> Change:
    routes = _changed(old.routes, new.routes)
    pools = _changed(old.pools, new.pools)
    structure = (
        routes is None
        or pools is None
        or (old.listeners is not new.listeners and dict(old.listeners) != dict(new.listeners))
        or old.settings != new.settings
        or any(_match(before) != _match(after) for before, after in routes)
        or any(_needs_reload(before, after) for before, after in pools)
    )
    return Change(
        structure,
        tuple(after for before, after in routes or () if list(before.weights.items()) != _weights(after)),
        tuple((before, after) for before, after in pools or () if before.servers != after.servers),
    )


def _changed(old: Mapping[K, V], new: Mapping[K, V]) -> list[tuple[V, V]] | None:
    """Return the pairs that are not the same object, ``None`` when the keys differ."""
    if old is new:
        return []
    if old.keys() != new.keys():
        return None
    return [(old[key], value) for key, value in new.items() if old[key] is not value]


def _match(route: Route) -> tuple[object, ...]:
    # When it began is told to people only.
    shown = replace(route.maintenance, since=0.0) if route.maintenance is not None else None
    return route.port, route.host, route.path, route.priority, shown


def _weights(route: Route) -> list[tuple[object, int]]:
    return list(route.weights.items())


def _needs_reload(before: Pool, after: Pool) -> bool:
    if before.check != after.check or before.options != after.options:
        return True
    return is_static(after) and before.servers != after.servers
