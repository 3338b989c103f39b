"""``history`` and ``inspect``: what was, and all that is known of one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import document_text, moment, span, table
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import UserError
from bluegreen.wire.client import path

_COLORS = {"done": "green", "baking": "green", "aborted": "red", "reverted": "yellow"}


@verb("history", "bluegreen history", "bluegreen history web --limit 5", "bluegreen history --json")
@click.argument("service", required=False)
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, help="How many at most.")
@pass_session
def history(session: Session, service: str | None, limit: int) -> None:
    """List rollouts, newest first."""
    name, _, stack = (service or "").partition(".")
    query = {"stack": session.stack or stack or None, "service": name or None, "limit": limit}
    found = session.client.get("/v1/rollouts", query)
    session.emit(found, lambda: _text(found))


def _text(rollouts: list[dict[str, Any]]) -> str:
    rows = []
    for one in rollouts:
        took = span(one["shifted_at"] - one["created_at"]) if one["shifted_at"] else "-"
        release = f"r{one['release']}" if one["release"] else "-"
        why = (one["reason"] or {}).get("message", "")
        held = ", paused" if one.get("paused_at") else ""
        phase = click.style(one["phase"] + held, fg=_COLORS.get(one["phase"]))
        target = one["target"].partition(".")[2]
        rows.append((one["id"], moment(one["created_at"]), one["kind"], target, release, phase, took, why))
    headers = ("rollout", "began", "kind", "to", "release", "phase", "live after", "reason")
    return table(headers, rows, empty="no rollout yet")


@verb("inspect", "bluegreen inspect web", "bluegreen inspect shop-web-r3-1", "bluegreen inspect 3f2a")
@click.argument("name")
@pass_session
def inspect(session: Session, name: str) -> None:
    """Print all that is known of one thing, as JSON.

    NAME is a service, a balancer, a route, an instance, a stack, or (the beginning of) a rollout's id.
    """
    looks: tuple[Callable[[Session, str], Any], ...] = (_service, _route, _instance, _stack, _rollout)
    for look in looks:
        try:
            found = look(session, name)
        except UserError as error:
            if not error.code.startswith("unknown_"):
                raise
            continue
        session.emit(found, lambda found=found: document_text(found))  # type: ignore[misc]
        return
    raise UserError(
        f"there is no service, route, instance, stack or rollout {name}",
        code="unknown_name",
        hint="See what there is: `bluegreen status`, `bluegreen ps`, `bluegreen history`.",
    )


def _route(session: Session, name: str) -> Any:
    for route in session.client.get("/v1/routes", session.scope):
        if name in (route["name"], f"{route['name']}.{route['stack']}"):
            return route
    raise UserError(f"there is no route {name}", code="unknown_route")


def _service(session: Session, name: str) -> Any:
    return session.client.get(path("services", name), session.scope)


def _instance(session: Session, name: str) -> Any:
    return session.client.get(path("instances", name))


def _stack(session: Session, name: str) -> Any:
    return session.client.get(path("stacks", name))


def _rollout(session: Session, name: str) -> Any:
    return session.client.get(path("rollouts", name))
