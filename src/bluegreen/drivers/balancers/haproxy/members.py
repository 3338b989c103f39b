"""Which of HAProxy's servers stands for which server of a pool, and what changes between two pools.

A name may come back while its former holder still ends requests, so HAProxy's name is the server's own
or that with ``:2``, ``:3`` … The file always has the plain names: after a start all are plain again.

A server that is forced up is another one than the same server checked: HAProxy cannot stop to watch the
answers of one that it has. Beside most servers stands a *twin* (``:last``): unchecked, a backup, used when no
server of the pool is up. It comes, goes and drains with its server; it is in the way for no moment, as it
leaves before its server and comes after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Admin, Pool, Routing, Server
from bluegreen.drivers.balancers.haproxy.backends import (
    CHECKED,
    LAST_SUFFIX,
    SERVER_INDENT,
    dynamic_words,
    has_check,
    has_twin,
    twin_words,
)

PROBE_SUFFIX = ":probe"


class Members:
    """For each pool, in the order of its servers: name → HAProxy's name; and the pools that are checked."""

    def __init__(self, names: Mapping[PoolId, Mapping[str, str]], checked: Collection[PoolId]) -> None:
        self._names = {pool: dict(servers) for pool, servers in names.items()}
        self._checked = frozenset(checked)

    @classmethod
    def plain(cls, routing: Routing) -> Members:
        """What a freshly started worker has."""
        pools = routing.pools.values()
        names = {pool.id: {s.name: s.name for s in pool.servers} for pool in pools}
        return cls(names, [pool.id for pool in pools if has_check(pool)])

    @classmethod
    def adopted(cls, config: str, running: Mapping[PoolId, Collection[str]]) -> Members:
        """What a running worker has: the file says who belongs, the worker under which name."""
        names: dict[PoolId, dict[str, str]] = {}
        declared, checked = declared_in(config)
        for pool, servers in declared.items():
            newest = {plain_name(n): n for n in sorted(running.get(pool, ()), key=_age) if _is_server(n)}
            names[pool] = {name: newest[name] for name in servers if name in newest}
        return cls(names, checked)

    @property
    def pools(self) -> Collection[PoolId]:
        return self._names.keys()

    def of(self, pool: PoolId) -> Mapping[str, str]:
        return self._names.get(pool, {})

    def are_checked(self, pool: PoolId) -> bool:
        return pool in self._checked

    def lingering(self, pool: PoolId, running: Iterable[str]) -> list[str]:
        """Return those of HAProxy's names in ``running`` that stand for no member, twins first."""
        known = set(self.of(pool).values())
        known |= {twin_of(name) for name in known}
        return sorted((name for name in running if name not in known), key=_is_server)

    def named(self, pool: PoolId, haproxy_name: str) -> str | None:
        """Return the server that HAProxy means; ``None`` for twins, probes, and those about to go."""
        name = plain_name(haproxy_name)
        return name if self.of(pool).get(name) == haproxy_name else None

    def set(self, pool: PoolId, names: Mapping[str, str]) -> None:
        self._names[pool] = dict(names)


@dataclass(frozen=True, slots=True)
class ServerChange:
    """How one pool becomes another one of the same structure. ``names`` are the members afterwards.

    ``commands`` add and adapt, ``added`` are the servers they add, ``leaving`` HAProxy's names of those
    to be taken out afterwards, of which the instances of ``replaced`` stay under another name.
    """

    pool: Pool
    commands: tuple[str, ...]
    added: tuple[tuple[str, Server], ...]
    leaving: tuple[str, ...]
    replaced: frozenset[str]
    names: Mapping[str, str]


def server_change(
    pool: Pool, before: Iterable[Server], members: Mapping[str, str], taken: Collection[str]
) -> ServerChange:
    """Return what leads from the servers ``before`` to those of ``pool``.

    ``members`` are HAProxy's names of ``before``, ``taken`` further names that exist in the pool.
    """
    old = {server.name: server for server in before}
    used = {*map(_without_role, taken), *members.values()}
    commands: list[str] = []
    names: dict[str, str] = {}
    added: list[tuple[str, Server]] = []
    replaced: set[str] = set()
    for server in pool.servers:
        former = old.get(server.name)
        if former is not None and _place(pool, former) == _place(pool, server):
            names[server.name] = members[server.name]
            if former != server:
                commands += _steer(pool, server, members[server.name])
            continue
        if former is not None and (former.host, former.port) == (server.host, server.port):
            replaced.add(members[server.name])
        names[server.name] = _unused(server.name, used)
        used.add(names[server.name])
        added.append((names[server.name], server))
        commands += _add(pool, server, names[server.name])
    leaving: list[str] = []
    for plain, name in members.items():
        if name not in names.values():
            leaving += [twin_of(name), name] if has_twin(pool, old[plain]) else [name]
    return ServerChange(pool, tuple(commands), tuple(added), tuple(leaving), frozenset(replaced), names)


def declared_in(config: str) -> tuple[dict[PoolId, list[str]], set[PoolId]]:
    """Return the names of the servers of every backend in a configuration of ours, and who is checked."""
    found: dict[PoolId, list[str]] = {}
    checked: set[PoolId] = set()
    pool = PoolId("")
    for line in config.splitlines():
        if line.startswith("backend "):
            pool = PoolId(line.split()[1])
            if ":" not in pool:
                found[pool] = []
        elif line.startswith(CHECKED):
            checked.add(pool)
        elif line.startswith(SERVER_INDENT) and _is_server(line.split()[1]):
            found[pool].append(line.split()[1])
    return found, checked


def plain_name(name: str) -> str:
    return name.split(":")[0]


def twin_of(name: str) -> str:
    return name + LAST_SUFFIX


def _age(name: str) -> tuple[str, int]:
    plain, _, number = name.partition(":")
    return plain, int(number) if number.isdigit() else 1


def _is_server(name: str) -> bool:
    return not name.endswith((PROBE_SUFFIX, LAST_SUFFIX))


def _without_role(name: str) -> str:
    return name.removesuffix(PROBE_SUFFIX).removesuffix(LAST_SUFFIX)


def _place(pool: Pool, server: Server) -> tuple[str, int, bool]:
    return server.host, server.port, server.forced_up and has_check(pool)


def _unused(name: str, used: Collection[str]) -> str:
    candidates: Iterator[str] = (name if n == 1 else f"{name}:{n}" for n in range(1, len(used) + 3))
    return next(candidate for candidate in candidates if candidate not in used)


def _add(pool: Pool, server: Server, name: str) -> Iterator[str]:
    target = f"{pool.id}/{name}"
    yield f"add server {target} {dynamic_words(pool, server, server.weight)}"
    if has_check(pool) and not server.forced_up:
        yield f"enable health {target}"
    if server.admin is not Admin.MAINT:
        yield f"set server {target} state {server.admin}"
    if has_twin(pool, server):
        twin = twin_of(target)
        yield f"add server {twin} {twin_words(pool, server, server.weight)}"
        if server.admin is not Admin.MAINT:
            yield f"set server {twin} state {server.admin}"


def _steer(pool: Pool, server: Server, name: str) -> Iterator[str]:
    targets = [f"{pool.id}/{name}"]
    if has_twin(pool, server):
        targets.insert(1 if server.admin is Admin.READY else 0, f"{pool.id}/{twin_of(name)}")
    for target in targets:
        yield f"set server {target} weight {server.weight}"
        yield f"set server {target} state {server.admin}"
