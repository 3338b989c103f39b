"""``reference/events.md``: the kinds of events, their fields, and the sentences the engine makes."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import bluegreen.engine
from bluegreen.domain.events import Event
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.rollout import Happened, Kind, Reason, Rollout
from bluegreen.engine import narrate
from reference.tables import made_from, table

_KIND = re.compile(r"(stack|service|rollout|instance|override|lock|loop|balancer|journal)\.[a-z_]+")

_OTHERS = {
    "rollout.began": "a rollout was begun: by `up`, `deploy`, `switch`, `redeploy`, `rollback`",
    "rollout.held": "a step that was decided is not performed now, and why",
    "rollout.retry": "a step failed for now and is tried again, and why",
    "instance.started": "the upkeep started an instance that was missing",
    "instance.in": "an instance is in rotation again, and why",
    "instance.out": "an instance is out of rotation, and why: a check, a person, or because it ended",
    "instance.died": "an instance ended, by whoever's hand; its exit code if the runtime tells",
    "instance.oom": "an instance was killed because it needed more memory than its limit",
    "instance.paused": "somebody paused an instance",
    "instance.resumed": "a paused instance goes on",
    "instance.hung": "the agent found that an instance does not answer: it is to be restarted",
    "instance.stopped": "an instance that is to be restarted was stopped",
    "instance.restarted": "an instance that was to be restarted runs anew",
    "override.set": "a person forced an instance in or out, or wants it restarted, and why",
    "override.ended": "the checks of an instance decide again: its time is over, or a person said so",
    "service.alarm": "no instance passes its check, or what hangs is not restarted: why, and what to do",
    "instance.restored": "the upkeep gave a running instance back its name or its network, taken by hand",
    "instance.start_failed": "the upkeep could not start one, and why; it tries again with growing pauses",
    "lock.set": "somebody lets nothing new be released of a stack or a service, and why",
    "lock.lifted": "a lock was taken away",
    "stack.changed": "what is wanted of a stack was changed",
    "stack.adopted": "a stack that ran but was not in the journal was taken over from its labels",
    "stack.removed": "a stack was taken down",
    "loop.alarm": "a service's loop met an error it cannot go past; traffic stays as it is",
}

_FIELDS = {
    "kind": "what happened, as below",
    "message": "the same for people, one line",
    "at": "UNIX seconds",
    "id": "ascending number; the position in the stream",
    "stack": "name of the stack",
    "service": "name of the service, if it is about one",
    "rollout": "id of the rollout, if it is about one",
    "level": "`info`, `warning` or `error`",
    "data": "more, as text; for rollouts `phase`",
}

_INTRODUCTION = """
# Events

One event is one row of the journal, one message of the stream and one line of `bluegreen events`. What is
in an event happened: it was written before anything was done because of it.

```console
$ bluegreen events
$ bluegreen events -f --json
```

Over HTTP: `GET /v1/events` (a page of them), `GET /v1/events/stream` (server-sent events; send
`Last-Event-ID` to go on where you were) and `GET /v1/rollouts/{id}/stream` (one rollout, ended by a
message `outcome` with the exit code).
"""


def render() -> str:
    found = kinds_in_the_engine()
    if found != set(_OTHERS):
        raise SystemExit(f"events that are described or used, but not both: {sorted(found ^ set(_OTHERS))}")
    parts = [
        made_from("bluegreen.engine.narrate") + _INTRODUCTION,
        "## Fields\n",
        table(("field", "holds"), ((f"`{f.name}`", _FIELDS[f.name]) for f in fields(Event))),
        "## Rollouts\n\n`rollout.` and what happened; an example of the message:\n",
        table(("kind", "level", "message"), _rollout_rows()),
        "## Others\n",
        table(("kind", "means"), ((f"`{kind}`", text) for kind, text in _OTHERS.items())),
    ]
    return "\n".join(parts)


def _rollout_rows() -> list[tuple[str, str, str]]:
    sample = Rollout(
        id="3f2a",
        kind=Kind.DEPLOY,
        stack="shop",
        service="web",
        target=PoolId("shop.web.blue"),
        source=PoolId("shop.web.green"),
        routes=(RouteId("shop.web"),),
        release=2,
        replicas=2,
        reason=Reason(code="never_healthy", message="0 of 2 instances healthy after 60 s"),
    )
    made = [narrate.happened(sample, what, 0.0) for what in Happened]
    return [(f"`{event.kind}`", event.level, event.message) for event in made]


def kinds_in_the_engine() -> set[str]:
    """Return the kinds that stand as words in the engine (its own log lines left out)."""
    found: set[str] = set()
    for path in Path(bluegreen.engine.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        logged = {id(part) for c in calls if ast.unparse(c.func).startswith("log.") for part in ast.walk(c)}
        found |= {node.value for node in ast.walk(tree) if _is_kind(node) and id(node) not in logged}
    return found


def _is_kind(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and _KIND.fullmatch(text) is not None
