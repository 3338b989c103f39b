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

_KIND = re.compile(r"(stack|service|rollout|instance|loop|balancer|journal)\.[a-z_]+")

_OTHERS = {
    "rollout.began": "a rollout was begun: by `up`, `deploy`, `switch`, `redeploy`, `rollback`",
    "rollout.held": "a step that was decided is not performed now, and why",
    "rollout.retry": "a step failed for now and is tried again, and why",
    "instance.started": "the upkeep started an instance that was missing",
    "instance.restored": "the upkeep gave a running instance back its name or its network, taken by hand",
    "instance.start_failed": "the upkeep could not start one, and why; it tries again with growing pauses",
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
    """Return the kinds that stand as words in calls of the engine (its own log lines left out)."""
    found = set()
    for path in Path(bluegreen.engine.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and not ast.unparse(node.func).startswith("log."):
                values = [*node.args, *(k.value for k in node.keywords)]
                found |= {
                    v.value
                    for v in values
                    if isinstance(v, ast.Constant) and isinstance(v.value, str) and _KIND.fullmatch(v.value)
                }
    return found
