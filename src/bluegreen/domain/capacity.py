"""What a host has, and whether an instance's limits can be met on it.

Called by every runtime before anything starts, so that all of them refuse in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.errors import UserError
from bluegreen.domain.spec import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The CPUs of a host by number, and its memory in bytes."""

    cpus: frozenset[int]
    memory: int


def parse_cpuset(text: str) -> frozenset[int]:
    """Return the CPUs that a list such as ``0,2-3`` names. Raises ``ValueError`` for no such list."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{text!r} is no list of CPUs")
        span = range(int(first), int(last or first) + 1)
        if not span or span.stop > 1 << 16:
            raise ValueError(f"{text!r} is no list of CPUs")
        found.update(span)
    return frozenset(found)


def check_limits(service: str, limits: Limits, capacity: Capacity) -> None:
    """Raise ``UserError`` (``limit_impossible``) when the host can never meet the limits.

    0 means "no limit", as it does to Docker.
    """
    if limits.cpuset:
        _check_cpuset(service, limits.cpuset, capacity)
    if limits.cpus and not 0 < limits.cpus <= len(capacity.cpus):
        _refuse(service, "cpus", f"{limits.cpus:g}", f"this host has {len(capacity.cpus)} CPUs")
    if limits.cpu_shares and not 2 <= limits.cpu_shares <= 262144:
        _refuse(service, "cpu_shares", str(limits.cpu_shares), "it is a weight from 2 to 262144")
    for name in ("mem_limit", "mem_reservation"):
        asked: int | None = getattr(limits, name)
        if asked and not 0 < asked <= capacity.memory:
            _refuse(service, name, f"{asked} bytes", f"this host has {capacity.memory} bytes")
    if limits.memswap_limit:
        _check_swap(service, limits.memswap_limit, limits.mem_limit or 0)


def _check_cpuset(service: str, cpuset: str, capacity: Capacity) -> None:
    try:
        possible = parse_cpuset(cpuset) <= capacity.cpus
    except ValueError:
        possible = False
    if not possible:
        has = ",".join(map(str, sorted(capacity.cpus)))
        _refuse(service, "cpuset", repr(cpuset), f"this host has the CPUs {has}")


def _check_swap(service: str, both: int, memory: int) -> None:
    if not memory:
        _refuse(service, "memswap_limit", f"{both} bytes", "it is memory plus swap and needs a mem_limit")
    if both != -1 and both < memory:
        _refuse(service, "memswap_limit", f"{both} bytes", f"it includes the mem_limit of {memory} bytes")


def _refuse(service: str, limit: str, asked: str, why: str) -> None:
    raise UserError(
        f"{service}: the {limit} of {asked} cannot be met: {why}",
        code="limit_impossible",
        hint=f"Change {limit} in the stack file, or leave it out.",
        evidence=((limit, asked), ("reason", why)),
    )
