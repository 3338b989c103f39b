"""What a request needs: the engine, and who is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Query, Request

from bluegreen.api.access.sessions import Sessions
from bluegreen.api.metrics.tally import Tally
from bluegreen.api.web.audience import Audience
from bluegreen.api.web.counters import Counters
from bluegreen.api.web.shared import Shared
from bluegreen.engine.doorkeeper import Doorkeeper
from bluegreen.engine.engine import Engine
from bluegreen.engine.hooks import Hooks
from bluegreen.engine.views import Viewer
from bluegreen.ports.exporter import Exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The controller, as ``doctor`` and ``--version`` show it. ``idempotency_keys``: that it takes them."""

    version: str
    pid: int
    runtime: str
    balancer: str
    state_dir: str
    idempotency_keys: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    engine: Engine
    viewer: Viewer
    about: About
    doorkeeper: Doorkeeper
    hooks: Hooks
    tally: Tally
    exporters: Mapping[str, Exporter] = field(default_factory=dict)
    sessions: Sessions = field(default_factory=Sessions)
    counters: Counters = field(default_factory=Counters)
    underway: set[tuple[str, str]] = field(default_factory=set)
    """Who and which key: the requests with one that are being carried out."""
    audience: Audience = field(default_factory=Audience)
    shared: Shared = field(default_factory=Shared)


async def context(request: Request) -> Context:
    """Return what the composition root put into the app. Async: FastAPI runs others in a thread."""
    found: Context = request.app.state.context
    return found


Use = Annotated[Context, Depends(context)]
LARGEST_ID = 2**63 - 1
"""The journal numbers its rows with 64 bits."""

RowId = Annotated[int, Query(ge=0, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most")]


async def _within(
    request: Request, stack: Annotated[str | None, Query(description="only this stack")] = None
) -> str | None:
    """Return the stack to look in, ``None`` for all.

    Who is limited to some gets what the guard has decided, whatever a name may mean elsewhere.
    """
    found: str = request.state.stack
    return found if request.state.actor.stacks else stack or None


StackName = Annotated[str | None, Depends(_within)]
