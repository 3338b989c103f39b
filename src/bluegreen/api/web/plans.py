"""What each act will do, said before it is done: the words and fields of its confirmation page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.api.context import Context
from bluegreen.api.web import looks, words
from bluegreen.domain.errors import UserError
from bluegreen.domain.live import live_routes
from bluegreen.domain.naming import route_id
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.rollout import BEFORE_TRAFFIC, Rollout
from bluegreen.domain.spec import ServiceSpec
from bluegreen.engine import narrate
from bluegreen.engine.commands import instances, lookup
from bluegreen.engine.ledger import ServiceKey


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is done to: a name, and its stack where the address says it; and ``who`` does it."""

    name: str
    stack: str | None = None
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    label: str
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """``kind`` is ``text``, ``number``, ``check``, ``choice`` or ``hidden`` (what the page told)."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    choices: tuple[Choice, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``back`` is the page to return to; ``harsh`` where it takes something away from users.

    ``seen`` is what the page rests on: once that is another, what it says is not what would happen.
    """

    title: str
    sentences: tuple[str, ...]
    button: str
    back: str
    seen: str = ""
    fields: tuple[Field, ...] = ()
    harsh: bool = False


def require_seen(plan: Plan, form: Mapping[str, str]) -> None:
    """Raises ``UserError`` (``too_late``) if the form is of a page that rested on something else.

    It was sent twice, or somebody was faster.
    """
    if form.get("seen", plan.seen) != plan.seen:
        raise UserError(
            "this changed since you opened the page, and nothing was done",
            code="too_late",
            hint="Go back and look again; perhaps it has been done already.",
        )


async def deploy(use: Context, target: Target) -> Plan:
    key = lookup.service(use.engine, target.name, target.stack)
    spec = _spec(use, key)
    replicas = words.amount(use.engine.ledger.services[key].replicas, "instance")
    routes = _routes(use, key)
    sentences = [
        f"A new release of {key[1]} starts beside what runs now: {replicas}.",
        _moves(routes, spec.rollout),
        f"If it is not well within {words.span(spec.rollout.start_deadline)}, it is stopped: nothing moves.",
    ]
    return Plan(
        title=f"Deploy {key[1]}",
        sentences=tuple(sentences),
        button="Deploy",
        back=page_of(key),
        seen=spec.image or "",
        fields=(
            Field(name="image", label="Image", value=spec.image or "", note="the same again: a redeploy"),
        ),
    )


async def rollback(use: Context, target: Target) -> Plan:
    key = lookup.service(use.engine, target.name, target.stack)
    active = use.engine.active(key)
    warm = active is not None and looks.is_warm(active)
    former = () if warm else await _former(use, key)
    promoted = use.engine.ledger.services[key].promoted
    again = (
        "The former release starts again beside what runs now.",
        _moves(_routes(use, key), _spec(use, key).rollout),
    )
    return Plan(
        title=f"Roll back {key[1]}",
        sentences=_warm_way(active) if warm and active is not None else again,
        button="Roll back",
        back=page_of(key),
        seen=active.id if warm and active is not None else f"after {promoted[-1:]}",
        fields=(Field(name="to", label="To", kind="choice", choices=former),) if former else (),
    )


async def _former(use: Context, key: ServiceKey) -> tuple[Choice, ...]:
    """Return the releases that had the traffic before, the latest one chosen."""
    promoted = use.engine.ledger.services[key].promoted
    known = {r.number: r.spec.image or r.image for r in await use.engine.ledger.releases(*key)}
    ways = [n for n in dict.fromkeys(reversed(promoted)) if n in known and n != promoted[-1]]
    return tuple(
        Choice(value=str(n), label=f"release {n}: {known[n]}", chosen=n == ways[0]) for n in ways[:10]
    )


async def scale(use: Context, target: Target) -> Plan:
    key = lookup.service(use.engine, target.name, target.stack)
    replicas = use.engine.ledger.services[key].replicas
    return Plan(
        title=f"Scale {key[1]}",
        sentences=(
            f"{words.amount(replicas, 'instance')} of each color that runs are wanted now.",
            "New ones get requests once they are well; those that go are drained first.",
        ),
        button="Scale",
        back=page_of(key),
        fields=(Field(name="replicas", label="Instances", kind="number", value=str(replicas)),),
    )


async def switch(use: Context, target: Target) -> Plan:
    spec, route = lookup.routes(use.engine, target.name, target.stack)[0]
    to = looks.targets(use, spec.name, route)
    if not to:
        raise UserError(
            f"{route.name} can go nowhere else: nothing else of it runs",
            code="target_absent",
            hint="Deploy or start what is to have the traffic first.",
        )
    listens = f"{route.host or '*'}:{route.port}{route.path or ''}"
    choices = tuple(Choice(value=one, label=one, chosen=one == to[0]) for one in to)
    return Plan(
        title=f"Switch {route.name}",
        sentences=(
            f"Every new request to {listens} goes to the color that you choose, in one step, once it passes "
            "its checks.",
            "Requests that are under way end where they are. Nothing is started or stopped.",
            "The way back stays open: roll back returns the traffic at once.",
        ),
        button="Switch",
        back="/",
        fields=(Field(name="target", label="To", kind="choice", choices=choices),),
    )


async def back(use: Context, target: Target) -> Plan:
    spec, route = lookup.routes(use.engine, target.name, target.stack)[0]
    shown = use.engine.switchboard.routing.routes.get(route_id(spec.name, route.name))
    return Plan(
        title=f"Roll back {route.name}",
        sentences=(
            "The traffic goes back to the color that had it before the last switch, in one step.",
            "Requests that are under way end where they are.",
        ),
        button="Roll back",
        back="/",
        seen=" ".join(sorted(shown.live)) if shown is not None else "",
    )


async def abort(use: Context, target: Target) -> Plan:
    rollout = await lookup.rollout(use.engine, target.name)
    if rollout.final:
        raise UserError(
            f"rollout {rollout.id} has ended: {rollout.phase}",
            code="too_late",
            hint=f"To go back to the release before, roll {rollout.service} back.",
        )
    if rollout.phase in BEFORE_TRAFFIC:
        sentences: tuple[str, ...] = (
            "No traffic has moved yet, and none will.",
            f"What was started of {narrate.subject(rollout)} is stopped.",
        )
    else:
        sentences = _warm_way(rollout)
    return Plan(
        title=f"Abort the {rollout.kind} of {rollout.service}",
        sentences=sentences,
        button="Abort",
        back=f"/rollouts/{rollout.id}",
        harsh=True,
    )


async def drain(use: Context, target: Target) -> Plan:
    instance = instances.find(use.engine, target.name)
    return Plan(
        title=f"Drain {instance.name}",
        sentences=(
            "It gets no new requests. Those that are under way end; the process goes on.",
            "That lasts until you say “ready”, also over restarts of the controller.",
        ),
        button="Drain",
        back=page_of((instance.stack, instance.service)),
        fields=(
            Field(name="why", label="Why", note="shown to others"),
            Field(name="force", label="even if it is the last one that serves", kind="check"),
        ),
        harsh=True,
    )


async def ready(use: Context, target: Target) -> Plan:
    instance = instances.find(use.engine, target.name)
    return Plan(
        title=f"Put {instance.name} back",
        sentences=("Its checks decide again: once they pass, it gets requests.",),
        button="Put it back",
        back=page_of((instance.stack, instance.service)),
    )


def page_of(key: ServiceKey) -> str:
    return f"/services/{key[0]}/{key[1]}"


def number(form: Mapping[str, str], name: str) -> int:
    """Return a field as a number. Raises ``UserError`` (``invalid_request``)."""
    text = form.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UserError(
            f"{name} is to be a number, not “{text[:50]}”",
            code="invalid_request",
            hint="Go back and give a whole number.",
        )
    return int(text)


def _warm_way(rollout: Rollout) -> tuple[str, ...]:
    source = "nothing" if rollout.source is None else narrate.short(rollout.source)
    after = "stays as it is" if not rollout.starts_target else "is stopped after that"
    return (
        f"All traffic goes back to {source}, which is still warm, in one step.",
        f"{narrate.subject(rollout)} {after}.",
    )


def _moves(routes: list[str], policy: RolloutPolicy) -> str:
    if not routes:
        return "No route leads to it: the old release is stopped once the new one is well."
    return (
        f"Once it passes its checks, all traffic of {', '.join(routes)} moves to it "
        f"{words.share(policy.shares)}; the old release stays warm for {words.span(policy.bake)}, "
        "then it is drained and stopped."
    )


def _routes(use: Context, key: ServiceKey) -> list[str]:
    found = live_routes(use.engine.ledger.spec(key[0]), key[1], use.engine.switchboard.routing)
    return [route.partition(".")[2] for route in found]


def _spec(use: Context, key: ServiceKey) -> ServiceSpec:
    spec = use.engine.ledger.spec(key[0]).service(key[1])
    if spec is None:
        raise UserError(
            f"{key[1]} is no longer in the stack file",
            code="unknown_service",
            hint="Remove what is left of it: `bluegreen up --prune`.",
        )
    return spec
