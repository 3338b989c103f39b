"""How the weights of a route are written into one entry of HAProxy's map, and read back.

``-`` is no pool, ``pool`` is all of it, ``first/second/share`` gives ``share`` percent to the first.
Rule: a route is exactly one entry, so that any change of its weights is one atomic ``set map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Route

NOBODY = "-"


def encode(weights: Mapping[PoolId, int]) -> str:
    """Return the map value for ``weights`` (at most two pools, percentages that sum to 100)."""
    if not weights:
        return NOBODY
    (first, share), *rest = weights.items()
    return f"{first}/{rest[0][0]}/{share}" if rest else first


def decode(value: str) -> dict[PoolId, int]:
    if value == NOBODY:
        return {}
    first, *rest = value.split("/")
    if not rest:
        return {PoolId(first): 100}
    share = int(rest[1])
    return {PoolId(first): share, PoolId(rest[0]): 100 - share}


def map_text(routes: Iterable[Route]) -> str:
    """Return the file of weights: one route and its value per line."""
    return "".join(f"{route.id} {encode(route.weights)}\n" for route in routes)


def parse_map(answer: str) -> dict[RouteId, dict[PoolId, int]]:
    """Read ``show map``: lines of an address, a key and a value."""
    fields = (line.split() for line in answer.splitlines())
    return {RouteId(row[1]): decode(row[2]) for row in fields if len(row) == 3}
