"""Puts the API together. Called by the composition root with an engine that runs."""

from __future__ import annotations

from fastapi import FastAPI

from bluegreen.api import problems
from bluegreen.api.context import Context
from bluegreen.api.routes import (
    access,
    boxes,
    export,
    hooks,
    instances,
    locks,
    metrics,
    rollouts,
    routes,
    services,
    stacks,
)
from bluegreen.api.web import entry, live, logs, pages, reference

_NOUNS = (stacks, services, routes, instances, rollouts, locks, boxes, export, access, hooks, metrics)
ROUTERS = tuple(noun.router for noun in _NOUNS)

PAGES = (live.router, pages.router, logs.router)


def create_app(context: Context) -> FastAPI:
    """Return the ASGI application: the API under ``/v1``, ``/metrics``, and the dashboard beside them."""
    routers = (*PAGES, *ROUTERS, entry.router, reference.router)  # what is asked most comes first
    app = FastAPI(
        title="bluegreen",
        version=context.about.version,
        docs_url=None,
        redoc_url=None,
        # The routes as they are: `include_router` would make each of them once more.
        routes=[route for router in routers for route in router.routes],
    )
    app.state.context = context
    problems.install(app)
    return app
