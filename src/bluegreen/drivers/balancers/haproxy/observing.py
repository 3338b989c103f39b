"""Turns HAProxy's tables into the facts of the port. Pure: the driver asks, this reads.

Rule: servers that are about to go are not listed, but what they still serve is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import PoolFacts, Routing, Server, ServerFacts, ServerHealth
from bluegreen.drivers.balancers.haproxy.members import PROBE_SUFFIX, Members
from bluegreen.drivers.balancers.haproxy.stats import (
    Row,
    admin_of,
    check_text,
    in_flight_of,
    stat_rows,
    state_rows,
    verdict_of,
)

Key = tuple[PoolId, str]
BACKEND = "BACKEND"


class Tables:
    """What HAProxy answered, by pool and HAProxy's name of the server (``BACKEND``: the pool)."""

    def __init__(self, stat: str, state: str) -> None:
        self.stat: dict[Key, Row] = {(PoolId(r["pxname"]), r["svname"]): r for r in stat_rows(stat)}
        self.state: dict[Key, Row] = {(PoolId(r["be_name"]), r["srv_name"]): r for r in state_rows(state)}

    def has(self, key: Key) -> bool:
        return key in self.stat and key in self.state

    def health(self, key: Key) -> ServerHealth:
        """What HAProxy's checks say of a server: its own, else the probe's beside it."""
        verdict = verdict_of(self.stat[key])
        probe = self.stat.get((key[0], key[1] + PROBE_SUFFIX))
        if verdict is ServerHealth.UNCHECKED and probe is not None:
            return verdict_of(probe)
        return verdict

    def server(self, key: Key, name: str) -> Server:
        """Return the server as it is run: what an apply would have to say to change nothing."""
        row = self.state[key]
        return Server(
            name=name,
            host=row["srv_addr"],
            port=int(row["srv_port"]),
            weight=int(row["srv_uweight"]),
            admin=admin_of(row),
        )


def pool_facts(
    pool: PoolId,
    members: Mapping[str, str],
    tables: Tables,
    remembered: Callable[[PoolId, str], ServerHealth],
    elsewhere: int,
) -> PoolFacts:
    """Return the facts of one pool. ``elsewhere`` counts requests in flight in former workers."""
    total = tables.stat.get((pool, BACKEND), {})
    return PoolFacts(
        id=pool,
        servers=tuple(
            _server_facts((pool, haproxy_name), name, tables, remembered)
            for name, haproxy_name in members.items()
            if tables.has((pool, haproxy_name))
        ),
        in_flight=(in_flight_of(total) if total else 0) + elsewhere,
        requests=_number(total, "req_tot", "stot"),
        errors=_number(total, "hrsp_5xx", "eresp"),
    )


def as_it_runs(
    routing: Routing, weights: Mapping[RouteId, Mapping[PoolId, int]], members: Members, tables: Tables
) -> Routing:
    """Return ``routing`` with the weights and servers of the running HAProxy in place of its own."""
    for route, shares in weights.items():
        if list(shares.items()) != list(routing.routes[route].weights.items()):
            routing = routing.with_weights(route, shares)
    for pool in routing.pools.values():
        names = members.of(pool.id).items()
        seen = tuple(tables.server((pool.id, known), name) for name, known in names)
        if seen != pool.servers:
            routing = routing.with_servers(pool.id, seen)
    return routing


def in_flight_by_pool(answers: Iterable[str]) -> dict[PoolId, int]:
    """Sum the requests in flight per pool over ``show stat`` answers of former workers."""
    counts: dict[PoolId, int] = {}
    for answer in answers:
        for row in stat_rows(answer):
            if row["svname"] == BACKEND:
                pool = PoolId(row["pxname"])
                counts[pool] = counts.get(pool, 0) + in_flight_of(row)
    return counts


def _server_facts(
    key: Key, name: str, tables: Tables, remembered: Callable[[PoolId, str], ServerHealth]
) -> ServerFacts:
    row = tables.stat[key]
    server = tables.server(key, name)
    health = tables.health(key)
    return ServerFacts(
        name=name,
        host=server.host,
        port=server.port,
        admin=server.admin,
        health=remembered(*key) if health is ServerHealth.UNCHECKED else health,
        in_flight=in_flight_of(row),
        last_check=check_text(row),
    )


def _number(row: Row, *columns: str) -> int:
    return next((int(row[column]) for column in columns if row.get(column)), 0)
