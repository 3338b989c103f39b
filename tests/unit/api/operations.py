"""Every operation of the API, as it describes itself, with a request that means something here."""

from __future__ import annotations

from typing import Any, cast

from bluegreen.api.access.rights import Operation
from bluegreen.api.app import create_app
from bluegreen.api.context import About, Context

_NOTHING = cast(Any, None)
_ABOUT = About(version="0", pid=0, runtime="", balancer="", state_dir="")


CONTEXT = Context(
    engine=_NOTHING, viewer=_NOTHING, about=_ABOUT, doorkeeper=_NOTHING, hooks=_NOTHING, tally=_NOTHING
)

DESCRIBED: dict[Operation, dict[str, Any]] = {
    (method.upper(), path): operation
    for path, methods in create_app(CONTEXT).openapi()["paths"].items()
    for method, operation in methods.items()
}
"""What the OpenAPI document says of each."""

OPERATIONS: list[Operation] = sorted(DESCRIBED)

STREAMS = frozenset({("GET", "/v1/events/stream"), ("GET", "/v1/rollouts/{id}/stream")})
"""They last until somebody hangs up."""


def noun_of(path: str) -> str:
    return path.removeprefix("/v1").split("/")[1]


def address(path: str, stack: str) -> str:
    """Return ``path`` with names of things that are in ``stack``, and the query that says so."""
    instance = f"{stack}-web-r1-1"
    names = {
        "stacks": stack,
        "services": "web",
        "balancers": "lb",
        "routes": "lb",
        "instances": instance,
        "tokens": "nobody",
        "boxes": "north",
        "hooks": "nobody",
    }
    filled = path.replace("{name}", names.get(noun_of(path), "")).replace("{format}", "haproxy")
    return f"{filled}?stack={stack}"
