"""Puts the API together. Called by the composition root with an engine that runs."""

from __future__ import annotations

from fastapi import FastAPI

from bluegreen.api import problems
from bluegreen.api.context import Context
from bluegreen.api.routes import access, export, hooks, instances, metrics, rollouts, routes, services, stacks
from bluegreen.api.web import entry, live, pages

_NOUNS = (stacks, services, routes, instances, rollouts, export, access, hooks, metrics)
ROUTERS = tuple(noun.router for noun in _NOUNS)

PAGES = (pages.router, live.router)


def create_app(context: Context) -> FastAPI:
    """Return the ASGI application: the API under ``/v1``, ``/metrics``, and the dashboard beside them."""
    app = FastAPI(title="bluegreen", version=context.about.version, redoc_url=None)
    app.state.context = context
    problems.install(app)
    for router in (*ROUTERS, *PAGES, entry.router):
        app.include_router(router)
    return app
