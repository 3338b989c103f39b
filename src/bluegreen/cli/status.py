"""``status`` and ``ps``: who has the traffic, and what runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import clock, colored, line_text, span, table
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import Temporary
from bluegreen.domain.latency import rate_in_words, share_in_words, wait_in_words

View = Mapping[str, Any]


@verb("status", "bluegreen status", "bluegreen status --watch", "bluegreen status --stack shop --json")
@click.option("-w", "--watch", is_flag=True, help="Go on showing it; Ctrl-C ends.")
@click.option("--every", type=click.FloatRange(min=0.1), default=1.0, hidden=True)
@pass_session
def status(session: Session, watch: bool, every: float) -> None:
    """Show who has the traffic, and what runs."""
    if not watch:
        found = session.client.get("/v1/status", session.scope)
        session.emit(found, lambda: status_text(found))
        return
    while True:
        _frame(session)
        time.sleep(every)


@verb("ps", "bluegreen ps", "bluegreen ps --service web", "bluegreen ps -q")
@click.option("--service", metavar="NAME", help="Instances of this service only.")
@click.option(
    "-s", "--status", "state", metavar="STATE", help="Instances in this state only: running, exited, …"
)
@click.option("-q", "--quiet", "ids", is_flag=True, help="Print names only.")
@click.option("--no-trunc", is_flag=True, hidden=True, expose_value=False)
@pass_session
def ps(session: Session, service: str | None, state: str | None, ids: bool) -> None:
    """List instances, in rotation or not, and why."""
    found = session.client.get("/v1/instances", {**session.scope, "service": service})
    if state:
        found = [i for i in found if i["state"] == state.lower()]
    names = "\n".join(i["name"] for i in found)
    session.emit(found, names if ids else lambda: instances_text(found))


def status_text(found: View) -> str:
    """Return routes, services and open rollouts as tables."""
    parts = []
    if found["balancer"]:
        parts.append(click.style(f"the balancer does not answer: {found['balancer']}", fg="yellow"))
    if found.get("registry"):
        age = span(time.time() - found["registry_since"])
        parts.append(click.style(f"the registry is behind for {age}: {found['registry']}", fg="yellow"))
    if found["routes"]:
        parts.append(routes_text(found["routes"]))
    parts.append(services_text(found["services"]))
    parts += [_alarm(s) for s in found["services"] if s["alarm"]]
    parts += [boxes_text(found["boxes"])] if found.get("boxes") else []
    parts += [locks_text(found["locks"])] if found.get("locks") else []
    warm = [r for r in found["rollouts"] if r["settled"] and r["phase"] == "baking"]
    parts += [_rollout_line(r) for r in found["rollouts"] if r not in warm or r.get("paused_at")]
    parts += [f"the way back is warm: `bluegreen rollback {_way_back(r)}`" for r in warm if r["source"]]
    return "\n\n".join(part for part in parts if part)


def boxes_text(boxes: Sequence[View]) -> str:
    rows = []
    for box in boxes:
        state = _box_state(box)
        since = box["stale_since"]
        stale = "" if since is None else f"in doubt for {span(time.time() - since)}: {box['trouble']}"
        rows.append((box["name"], box["stack"], box["balancer"], state, stale or box["trouble"]))
    return table(("box", "stack", "balancer", "state", ""), rows)


def _box_state(box: View) -> str:
    if box["lost"]:
        return click.style("not heard of", fg="red")
    return click.style("behind", fg="yellow") if box["behind"] else click.style("in step", fg="green")


def locks_text(locks: Sequence[View]) -> str:
    rows = []
    for one in locks:
        since = f"{span(time.time() - one['since'])} ago"
        left = "-" if one["until"] is None else span(one["until"] - time.time())
        rows.append((lock_subject(one), one["who"], since, left, one["why"]))
    return table(("locked", "by", "since", "left", "why"), rows)


def lock_subject(one: View) -> str:
    """Return what a lock is of."""
    return f"{one['service']}.{one['stack']}" if one["service"] else f"stack {one['stack']}"


def routes_text(routes: Sequence[View]) -> str:
    rows = []
    for route in routes:
        where = f"{route['host'] or '*'}:{route['port']}{route['path']}"
        live = route["live"] or click.style("nobody", fg="red")
        shares = ", ".join(f"{_pool(pool)} {share} %" for pool, share in route["weights"].items() if share)
        wanted = "" if route["synchronized"] else f"(*) to be {route['target']}"
        if route["maintenance"] is not None:
            wanted = click.style(f"maintenance: {route['maintenance']}".rstrip(": "), fg="yellow")
        rows.append((route["name"], route["stack"], where, live, shares or "-", wanted))
    return table(("route", "stack", "listens", "live", "traffic", ""), rows)


def services_text(services: Sequence[View]) -> str:
    measured = any(color.get("traffic") for service in services for color in service["colors"])
    rows = []
    for service in services:
        colors = service["colors"] or [{}]
        for number, color in enumerate(colors):
            first = (service["name"] + _mark(service), service["stack"], state_text(service["state"]))
            cells = (*_color_cells(color), *(_traffic_cells(color) if measured else ()))
            rows.append((*(first if number == 0 else ("", "", "")), *cells))
    headers = ["service", "stack", "state", "color", "release", "running", "serving", "in flight", "image"]
    headers += ["requests", "errors", "p50", "p95"] if measured else []
    return table(headers, rows, empty="nothing runs here yet; begin with `bluegreen up`")


def _color_cells(color: View) -> tuple[object, ...]:
    if not color:
        return ("-", "-", "-", "-", "-", "-")
    running = f"{color['running']} of {color['wanted']}"
    share = f"{color['serving']} ({color['share']} %)" if color["share"] else color["serving"]
    name = colored(color["color"])
    return name, f"r{color['release']}", running, share, color["in_flight"], color["image"] or "-"


def _traffic_cells(color: View) -> tuple[str, ...]:
    """Return the last minute, as users saw it."""
    seen = color.get("traffic")
    if not seen:
        return ("-", "-", "-", "-")
    errors = share_in_words(seen["errors"])
    marked = click.style(errors, fg="red") if seen["errors"] >= 0.01 else errors
    return rate_in_words(seen["rate"]), marked, wait_in_words(seen["p50"]), wait_in_words(seen["p95"])


def instances_text(instances: Sequence[View]) -> str:
    rows = []
    for one in instances:
        rotation = {"in": click.style("in", fg="green"), "out": click.style("out", fg="yellow")}
        runs = span(time.time() - one["started_at"]) if one["started_at"] else "-"
        since = span(time.time() - one["since"]) if one["since"] else "-"
        rows.append(
            (
                one["name"],
                colored(one["color"]),
                one["state"],
                runs,
                one["restarts"],
                one["address"] or "-",
                rotation.get(one["rotation"], "-"),
                since,
                _why(one),
            )
        )
    headers = ("instance", "color", "state", "for", "restarts", "address", "rotation", "since", "why")
    return table(headers, rows, empty="no instance")


def _why(one: View) -> str:
    """Return why an instance is in or out, and the last answers where it is not simply well."""
    said = [one["why"]]
    if one["rotation"] == "out" and one["last_probe"] and one["last_probe"] not in one["why"]:
        said.append(f"last probe {one['last_probe']}")
    if one["alive"] and not one["alive"].startswith("healthy"):
        said.append(f"agent {one['alive']}")
    return "; ".join(said)


def _alarm(service: View) -> str:
    hangs = "something hangs and is not restarted"
    what = "no instance passes its check" if service["alarm"] == "none_passes" else hangs
    words = f"{service['name']}: {what} ({service['alarm']}); "
    return click.style(words + "`bluegreen events` says why", fg="red")


def state_text(state: str) -> str:
    color = {"Running": "green", "Partly running": "yellow", "Not running": "red"}.get(state)
    return click.style(state, fg=color) if color else state


def _mark(service: View) -> str:
    return "" if service["synchronized"] else " (*)"


def _pool(pool: str) -> str:
    """Return a pool's name without its stack, and without a color that its service bears itself."""
    service, _, color = pool.partition(".")[2].rpartition(".")
    return service if service.endswith((f"-{color}", f"_{color}")) else f"{service}.{color}"


def _rollout_line(rollout: View) -> str:
    since = span(time.time() - rollout["since"])
    what = f"{rollout['kind']} to {_pool(rollout['target'])}"
    line = f"rollout {rollout['id']}: {what}, {rollout['phase']} for {since}"
    if not rollout.get("paused_at"):
        return line
    held = f"paused since {clock(rollout['paused_at'])}, by hand"
    return click.style(f"{line}; {held}; `bluegreen resume {rollout['id']}` goes on", fg="yellow")


def _way_back(rollout: View) -> str:
    """Return what to name to ``rollback``: the service, or the route between two declared colors."""
    if rollout["retire_source"] or not rollout["routes"]:
        return str(rollout["service"])
    return str(rollout["routes"][0]).partition(".")[2]


def _frame(session: Session) -> None:
    try:
        found = session.client.get("/v1/status", session.scope)
        text = line_text(found) if session.json else status_text(found)
    except Temporary as error:
        found, text = None, click.style(f"{error.message}; traffic is not affected", fg="yellow")
        if session.json:
            session.say(text)
            return
    if sys.stdout.isatty() and not session.json:
        click.clear()
        click.echo(f"{time.strftime('%H:%M:%S')}  bluegreen status\n")
    click.echo(text)
