"""What ``up`` would change: the difference between a stack file and what is wanted now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from bluegreen.domain.live import live_color, live_pool
from bluegreen.domain.naming import route_id, service_of
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.routing import Listener, Routing
from bluegreen.domain.spec import ServiceSpec, config_hash
from bluegreen.domain.stack import StackSpec


class Action(StrEnum):
    CREATE = "create"
    DEPLOY = "deploy"
    SCALE = "scale"
    KEEP = "keep"
    REMOVE = "remove"
    ORPHAN = "orphan"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One line of a plan. ``detail`` says what differs, for people."""

    action: Action
    service: str
    detail: str = ""


def plan(
    stack: StackSpec,
    before: StackSpec | None,
    records: Mapping[str, ServiceRecord],
    live: Mapping[str, Release],
    routing: Routing,
    *,
    prune: bool = False,
) -> tuple[Planned, ...]:
    """Return what ``up`` does, service by service, in the order of the file.

    ``records`` and ``live`` hold what is wanted of each service of this stack and the release that
    now runs. Services that left the file are only removed with ``prune``.
    """
    rows = [_service(spec, records.get(spec.name), live.get(spec.name)) for spec in stack.services]
    rows += [_balancer(stack, balancer.name, before, routing) for balancer in stack.balancers]
    gone = [name for name in records if stack.service(name) is None]
    action = Action.REMOVE if prune else Action.ORPHAN
    detail = "" if prune else "no longer in the file; kept (remove it with --prune)"
    return (*rows, *(Planned(action=action, service=name, detail=detail) for name in sorted(gone)))


def _service(spec: ServiceSpec, record: ServiceRecord | None, live: Release | None) -> Planned:
    if record is None or live is None or not record.releases:
        return Planned(action=Action.CREATE, service=spec.name, detail=_what(spec))
    if config_hash(spec) != config_hash(live.spec):
        return Planned(action=Action.DEPLOY, service=spec.name, detail=difference(live.spec, spec))
    if spec.replicas != record.replicas:
        detail = f"{record.replicas} → {spec.replicas} instances"
        return Planned(action=Action.SCALE, service=spec.name, detail=detail)
    return Planned(action=Action.KEEP, service=spec.name, detail=f"release {live.number}")


def _balancer(stack: StackSpec, name: str, before: StackSpec | None, routing: Routing) -> Planned:
    notes = []
    for route in stack.routes:
        live = live_pool(routing, route_id(stack.name, route.name))
        if route.balancer != name:
            continue
        if live is not None and service_of(live) != route.target:
            notes.append(
                f"{route.name} stays on {service_of(live)} (the file says {route.target}; "
                f"`bluegreen switch {route.name} {route.target}` moves it)"
            )
    known = before.balancer(name) if before is not None else None
    changed = known is None or known.listeners != _listeners(stack, name)
    ports = ", ".join(str(listener.port) for listener in _listeners(stack, name))
    action = Action.BALANCE if changed else Action.KEEP
    return Planned(action=action, service=name, detail="; ".join(notes) or f"listens on {ports}")


def _listeners(stack: StackSpec, balancer: str) -> tuple[Listener, ...]:
    found = stack.balancer(balancer)
    return found.listeners if found is not None else ()


def difference(old: ServiceSpec, new: ServiceSpec) -> str:
    """Return which keys of the service differ, with the values where they are short and no secret."""
    before, after = asdict(old), asdict(new)
    changed = [key for key in after if before[key] != after[key]]
    if "image" in changed:
        others = [key for key in changed if key != "image"]
        return ", ".join([f"image {old.image} → {new.image}", *others])
    return ", ".join(changed)


def _what(spec: ServiceSpec) -> str:
    return spec.image or (" ".join(spec.process.command) if spec.process else "")


def live_release(record: ServiceRecord, releases: tuple[Release, ...]) -> Release | None:
    """Return the release that now runs for the service: the live one, else any that is wanted."""
    color = live_color(record) or next(iter(record.releases), None)
    number = record.releases[color] if color is not None else None
    return next((release for release in releases if release.number == number), None)
