"""Which of HAProxy's servers stands for which server of a pool, and what changes between two pools.

A name may come back while its former holder still ends requests, so HAProxy's name is the server's own
or that with ``:2``, ``:3`` … The file always has the plain names: after a start all are plain again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bluegreen.domain.check import CheckKind
from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Admin, Pool, Routing, Server
from bluegreen.drivers.balancers.haproxy.backends import SERVER_INDENT, dynamic_words

PROBE_SUFFIX = ":probe"


class Members:
    """For each pool, in the order of its servers: name → HAProxy's name."""

    def __init__(self, names: Mapping[PoolId, Mapping[str, str]]) -> None:
        self._names = {pool: dict(servers) for pool, servers in names.items()}

    @classmethod
    def plain(cls, routing: Routing) -> Members:
        """What a freshly started worker has."""
        return cls({pool.id: {s.name: s.name for s in pool.servers} for pool in routing.pools.values()})

    @classmethod
    def adopted(cls, config: str, running: Mapping[PoolId, Collection[str]]) -> Members:
        """What a running worker has: the file says who belongs, the worker under which name."""
        names: dict[PoolId, dict[str, str]] = {}
        for pool, servers in servers_in(config).items():
            newest = {plain_name(n): n for n in sorted(running.get(pool, ()), key=_age) if _is_server(n)}
            names[pool] = {name: newest[name] for name in servers if name in newest}
        return cls(names)

    @property
    def pools(self) -> Collection[PoolId]:
        return self._names.keys()

    def of(self, pool: PoolId) -> Mapping[str, str]:
        return self._names.get(pool, {})

    def set(self, pool: PoolId, names: Mapping[str, str]) -> None:
        self._names[pool] = dict(names)


@dataclass(frozen=True, slots=True)
class ServerChange:
    """How one pool becomes another one of the same structure. ``names`` are the members afterwards.

    ``commands`` add and adapt, ``added`` are the servers they add, ``leaving`` HAProxy's names of those
    to be taken out afterwards.
    """

    pool: Pool
    commands: tuple[str, ...]
    added: tuple[tuple[str, Server], ...]
    leaving: tuple[str, ...]
    names: Mapping[str, str]


def server_change(
    pool: Pool, before: Iterable[Server], members: Mapping[str, str], taken: Collection[str]
) -> ServerChange:
    """Return what leads from the servers ``before`` to those of ``pool``.

    ``members`` are HAProxy's names of ``before``, ``taken`` further names that exist in the pool.
    """
    old = {server.name: server for server in before}
    used = {*taken, *members.values()}
    commands: list[str] = []
    names: dict[str, str] = {}
    added: list[tuple[str, Server]] = []
    for server in pool.servers:
        former = old.get(server.name)
        if former is not None and (former.host, former.port) == (server.host, server.port):
            names[server.name] = members[server.name]
            if former != server:
                commands += _steer(pool, server, members[server.name])
            continue
        names[server.name] = _unused(server.name, used)
        used.add(names[server.name])
        added.append((names[server.name], server))
        commands += _add(pool, server, names[server.name])
    leaving = tuple(name for name in members.values() if name not in names.values())
    return ServerChange(pool, tuple(commands), tuple(added), leaving, names)


def servers_in(config: str) -> dict[PoolId, list[str]]:
    """Return the names of the servers of every backend in a configuration of ours."""
    found: dict[PoolId, list[str]] = {}
    pool = PoolId("")
    for line in config.splitlines():
        if line.startswith("backend "):
            pool = PoolId(line.split()[1])
            if ":" not in pool:
                found[pool] = []
        elif line.startswith(SERVER_INDENT):
            found[pool].append(line.split()[1])
    return found


def plain_name(name: str) -> str:
    return name.split(":")[0]


def _age(name: str) -> tuple[str, int]:
    plain, _, number = name.partition(":")
    return plain, int(number) if number.isdigit() else 1


def _is_server(name: str) -> bool:
    return not name.endswith(PROBE_SUFFIX)


def _unused(name: str, used: Collection[str]) -> str:
    candidates: Iterator[str] = (name if n == 1 else f"{name}:{n}" for n in range(1, len(used) + 3))
    return next(candidate for candidate in candidates if candidate not in used)


def _add(pool: Pool, server: Server, name: str) -> Iterator[str]:
    target = f"{pool.id}/{name}"
    yield f"add server {target} {dynamic_words(pool, server, server.weight)}"
    if pool.check.kind is not CheckKind.NONE:
        yield f"enable health {target}"
    if server.admin is not Admin.MAINT:
        yield f"set server {target} state {server.admin}"


def _steer(pool: Pool, server: Server, name: str) -> Iterator[str]:
    yield f"set server {pool.id}/{name} weight {server.weight}"
    yield f"set server {pool.id}/{name} state {server.admin}"
