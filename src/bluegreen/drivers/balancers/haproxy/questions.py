"""What ``observe`` asks a running HAProxy, in as few exchanges as there can be.

Called by the driver each time the engine looks, several times within one switch: a connection costs more
than its answer.
"""

from __future__ import annotations

from collections.abc import Collection

from bluegreen.domain.naming import PoolId
from bluegreen.drivers.balancers.haproxy.observing import Tables
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi

_FEW = 16
"""Up to so many pools are asked for one by one; beyond, all in one answer are cheaper."""


async def ask(api: RuntimeApi, routes_map: str, pools: Collection[PoolId]) -> tuple[str, Tables]:
    """Return the map of weights as HAProxy shows it, and the tables of (at least) these pools."""
    weights = f"show map {routes_map}"
    if len(pools) > _FEW:
        shown, stat = await api.ask(weights), await api.ask("show stat -1 6 -1")
        return shown, Tables(stat, await api.ask("show servers state"))
    tables = [f"show stat {p} 6 -1" for p in pools] + [f"show servers state {p}" for p in pools]
    shown, rest = _first(await api.ask(";".join([weights, *tables])))
    stat, header, state = rest.partition("# be_id")
    return shown, Tables(stat, header + state)


def _first(answers: str) -> tuple[str, str]:
    """Part the answer to the first of several commands from the rest: an empty line ends it."""
    if answers.startswith("\n"):
        return "", answers
    first, _, rest = answers.partition("\n\n")
    return first + "\n", rest
