"""Every operation of the API, as it describes itself, with a request that means something here."""

from __future__ import annotations

from typing import Any, cast

from bluegreen.api.access.rights import Operation
from bluegreen.api.app import create_app
from bluegreen.api.context import About, Context

_NOTHING = cast(Any, None)
_ABOUT = About(version="0", pid=0, runtime="", balancer="", state_dir="")


def described() -> dict[str, dict[str, Any]]:
    """Return the paths of the OpenAPI document."""
    context = Context(engine=_NOTHING, viewer=_NOTHING, about=_ABOUT, doorkeeper=_NOTHING)
    paths: dict[str, dict[str, Any]] = create_app(context).openapi()["paths"]
    return paths


OPERATIONS: list[Operation] = sorted(
    (method.upper(), path) for path, methods in described().items() for method in methods
)

STREAMS = frozenset({("GET", "/v1/events/stream"), ("GET", "/v1/rollouts/{id}/stream")})
"""They last until somebody hangs up."""


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
    }
    noun = path.removeprefix("/v1").split("/")[1]
    filled = path.replace("{name}", names.get(noun, "")).replace("{format}", "haproxy")
    return f"{filled}?stack={stack}"
