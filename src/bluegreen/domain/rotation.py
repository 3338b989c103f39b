"""Who of a pool is in rotation, and why the others are not: pure.

The balancer's own check takes a server out and in by itself. What it cannot see is decided here: a
person's override, the runtime's health check, a check that only we can carry out. Rule: sickness alone
never empties a pool; when everything is sick at once, what is in stays in (keep last good).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.facts import InstanceFacts, PoolView
from bluegreen.domain.health import Verdict
from bluegreen.domain.override import Force, Override, Overrides
from bluegreen.domain.routing import Admin, Server, ServerFacts, ServerHealth


class Rotation(StrEnum):
    """``NONE``: no route leads to it."""

    IN = "in"
    OUT = "out"
    NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``kept``: it is sick and goes on having requests, for so is everybody else."""

    rotation: Rotation
    why: str
    kept: bool = False


def servers(
    current: Iterable[Server], view: PoolView, overrides: Overrides, now: float, *, balancer_checks: bool
) -> tuple[Server, ...]:
    """Return the servers a pool is to have.

    An instance enters once it is well and leaves when it no longer runs at its address. ``overrides``
    are those in force; ``balancer_checks`` is false where the balancer asks nobody by itself.
    """
    known = _known(current, view)
    seats: list[Server] = []
    spared: set[str] = set()
    for facts in view.instances:
        server, override = _server(facts), overrides.get(facts.instance.name)
        if server is None:
            continue
        if override is not None and override.force is Force.UP:
            seats.append(replace(server, forced_up=True))
        elif server.name in known or facts.well(view.check, now):
            sick = sickness(facts, view.check, balancer_checks=balancer_checks)
            spared |= {server.name} if sick and override is None else set()
            seats.append(replace(server, admin=Admin.DRAIN) if sick or override is not None else server)
    failing = {facts.instance.name for facts in view.instances if facts.failing}
    if not any(seat.admin is Admin.READY and seat.name not in failing for seat in seats):
        seats = [replace(seat, admin=Admin.READY) if seat.name in spared else seat for seat in seats]
    return tuple(seats)


def _known(current: Iterable[Server], view: PoolView) -> set[str]:
    """Return who of the pool is a server already: by name and address, or renamed at the same address."""
    names = {facts.instance.name for facts in view.instances}
    before = {(s.name, s.host, s.port) for s in current}
    nameless = {(host, port) for name, host, port in before if name not in names}
    found = set()
    for one in (facts.instance for facts in view.instances):
        if (one.name, one.host, one.port) in before or (one.host, one.port) in nameless:
            found.add(one.name)
    return found


def _server(facts: InstanceFacts) -> Server | None:
    """Return the instance as a server, ``None`` while it does not run or has no address."""
    instance = facts.instance
    if instance.host is None or instance.port is None or not instance.running:
        return None
    return Server(name=instance.name, host=instance.host, port=instance.port)


def sickness(facts: InstanceFacts, check: HealthCheck, *, balancer_checks: bool) -> str:
    """Return what the balancer does not see and takes an instance out; empty when nothing does."""
    if facts.instance.stopping:
        return "it is asked to end"
    if facts.instance.health == "unhealthy":
        return "the runtime's own health check fails"
    ours = check.asked_by_us or not balancer_checks
    if ours and facts.health.verdict is Verdict.SICK:
        last = facts.health.last
        return f"our check fails: {last.describe()}" if last is not None else "our check fails"
    return ""


def all_refused(found: Iterable[ServerFacts]) -> bool:
    """True when the balancer's check passes on nobody who is to have requests."""
    ready = [server for server in found if server.admin is Admin.READY]
    return bool(ready) and all(server.health is ServerHealth.DOWN for server in ready)


def standing(
    facts: InstanceFacts,
    view: PoolView,
    override: Override | None,
    *,
    routed: bool,
    balancer_checks: bool,
    last_good: bool = False,
) -> Standing:
    """Return whether the instance is in rotation, and why, by what its server in ``facts`` says.

    ``last_good``: the balancer refuses everybody of the pool, and therefore goes on asking them.
    """
    instance, server = facts.instance, facts.server
    if override is not None and override.force is not Force.UP:
        return Standing(rotation=Rotation.OUT, why=_forced(override))
    if not instance.running:
        code = "" if instance.exit_code is None else f" (exit code {instance.exit_code})"
        out = Rotation.OUT if routed else Rotation.NONE
        return Standing(rotation=out, why=f"{instance.state}{code}")
    if not routed:
        return Standing(rotation=Rotation.NONE, why="no route leads to it")
    if server is None:
        return Standing(rotation=Rotation.OUT, why=_newcomer(facts))
    if override is not None:
        return Standing(rotation=Rotation.IN, why=_forced(override))
    sick = sickness(facts, view.check, balancer_checks=balancer_checks)
    return _asked(server, sick, last_good=last_good)


def _asked(server: ServerFacts, sick: str, *, last_good: bool) -> Standing:
    """Return where a server stands that ``sick`` is said of, apart from what the balancer says."""
    if server.admin is not Admin.READY:
        return Standing(rotation=Rotation.OUT, why=sick or f"{server.admin} at the balancer")
    if server.health is ServerHealth.DOWN:
        sick = f"the balancer's check fails: {server.last_check}".rstrip(": ")
        if not last_good:
            return Standing(rotation=Rotation.OUT, why=sick)
    if sick:
        return Standing(rotation=Rotation.IN, why=f"kept, although {sick}", kept=True)
    return Standing(rotation=Rotation.IN, why="healthy")


def _forced(override: Override) -> str:
    words = {Force.OUT: "", Force.UP: "forced up: ", Force.RESTART: "to be restarted: "}
    return words[override.force] + override.why


def _newcomer(facts: InstanceFacts) -> str:
    if facts.instance.health == "unhealthy":
        return "the runtime's own health check fails"
    return {
        Verdict.HEALTHY: "healthy, not yet admitted",
        Verdict.SICK: "our probe fails",
        Verdict.STARTING: "not yet proved healthy",
    }[facts.health.verdict]
