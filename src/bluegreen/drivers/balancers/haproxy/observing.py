"""Turns HAProxy's tables into the facts of the port. Pure: the driver asks, this reads.

Rule: servers that are about to go are not listed, but what they still serve is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Pool, PoolFacts, Routing, Server, ServerFacts, ServerHealth
from bluegreen.drivers.balancers.haproxy.backends import has_twin
from bluegreen.drivers.balancers.haproxy.members import PROBE_SUFFIX, Members, plain_name, twin_of
from bluegreen.drivers.balancers.haproxy.stats import (
    Row,
    admin_of,
    check_text,
    has_own_check,
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

    def server(self, key: Key, name: str, pool_is_checked: bool) -> Server:
        """Return the server as it is run: what an apply would have to say to change nothing."""
        row = self.state[key]
        return Server(
            name=name,
            host=row["srv_addr"],
            port=int(row["srv_port"]),
            weight=int(row["srv_uweight"]),
            admin=admin_of(row),
            forced_up=pool_is_checked and not has_own_check(row),
        )

    @cached_property
    def in_flight(self) -> Mapping[tuple[PoolId, str, str, str], int]:
        """Count what HAProxy still does at each instance: by pool, plain name, host and port.

        A twin serves for its server; one that was replaced at the same address still ends its own.
        """
        counts: dict[tuple[PoolId, str, str, str], int] = {}
        for key, row in self.state.items():
            if key in self.stat:
                place = key[0], plain_name(key[1]), row["srv_addr"], row["srv_port"]
                counts[place] = counts.get(place, 0) + in_flight_of(self.stat[key])
        return counts


def pool_facts(
    pool: PoolId,
    members: Members,
    tables: Tables,
    remembered: Callable[[PoolId, str], ServerHealth],
    elsewhere: int,
) -> PoolFacts:
    """Return the facts of one pool. ``elsewhere`` counts requests in flight in former workers."""
    total = tables.stat.get((pool, BACKEND), {})
    checked = members.are_checked(pool)
    return PoolFacts(
        id=pool,
        servers=tuple(
            _server_facts((pool, haproxy_name), name, checked, tables, remembered)
            for name, haproxy_name in members.of(pool).items()
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
        checked = members.are_checked(pool.id)
        seen = tuple(
            _as_it_runs(pool, known, tables.server((pool.id, known), name, checked), tables)
            for name, known in members.of(pool.id).items()
        )
        if seen != pool.servers:
            routing = routing.with_servers(pool.id, seen)
    return routing


_OUT_OF_STEP = -1
"""No weight that could be wanted: the server and its twin are told again what to do."""


def _as_it_runs(pool: Pool, known: str, server: Server, tables: Tables) -> Server:
    if not has_twin(pool, server):
        return server
    twin = tables.state.get((pool.id, twin_of(known)))
    in_step = twin is not None and admin_of(twin) is server.admin
    return server if in_step else replace(server, weight=_OUT_OF_STEP)


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
    key: Key,
    name: str,
    checked: bool,
    tables: Tables,
    remembered: Callable[[PoolId, str], ServerHealth],
) -> ServerFacts:
    server = tables.server(key, name, checked)
    health = ServerHealth.UNCHECKED if server.forced_up else tables.health(key)
    if health is ServerHealth.UNCHECKED and not server.forced_up:
        health = remembered(*key)
    return ServerFacts(
        name=server.name,
        host=server.host,
        port=server.port,
        admin=server.admin,
        health=health,
        in_flight=tables.in_flight.get((key[0], name, server.host, str(server.port)), 0),
        last_check=check_text(tables.stat[key]),
    )


def _number(row: Row, *columns: str) -> int:
    return next((int(row[column]) for column in columns if row.get(column)), 0)
