"""What was last applied, kept beside the configuration: NGINX itself cannot be asked for it.

Rule: each generation of the configuration has a file of its own, so that renaming the configuration is the
one step that puts both in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Routing

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """``former`` are addresses of servers that a pool no longer has, but may have connections to."""

    routing: Routing
    former: Mapping[PoolId, tuple[Address, ...]] = field(default_factory=dict)


_ADAPTER = TypeAdapter(Memory)


def file_of(generation: int) -> str:
    return f"applied-{generation}.json"


def dump(memory: Memory) -> str:
    routes = {
        key: replace(route, weights=dict(route.weights)) for key, route in memory.routing.routes.items()
    }
    plain = replace(memory, routing=replace(memory.routing, routes=routes))
    return _ADAPTER.dump_json(plain).decode()


def load(folder: Path, generation: int) -> Memory | None:
    """Return what was applied with ``generation``; ``None`` where nobody knows."""
    try:
        return _ADAPTER.validate_json((folder / file_of(generation)).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def after(memory: Memory | None, routing: Routing) -> Memory:
    """Return the memory of ``routing`` that follows ``memory``."""
    former: dict[PoolId, tuple[Address, ...]] = {}
    for key in routing.pools:
        now = {(server.host, server.port) for server in routing.pools[key].servers}
        before = [address for address in _addresses(memory, key) if address not in now]
        former[key] = tuple(dict.fromkeys(before))[-64:]
    return Memory(routing=routing, former=former)


def _addresses(memory: Memory | None, key: PoolId) -> list[Address]:
    if memory is None:
        return []
    known = memory.routing.pools.get(key)
    servers = [(server.host, server.port) for server in known.servers] if known is not None else []
    return [*memory.former.get(key, ()), *servers]
