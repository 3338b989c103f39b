"""Puts the API together. Called by the composition root with an engine that runs."""

from __future__ import annotations

from fastapi import FastAPI

from bluegreen.api import problems
from bluegreen.api.context import Context
from bluegreen.api.routes import access, export, instances, metrics, rollouts, routes, services, stacks

_NOUNS = (stacks, services, routes, instances, rollouts, export, access, metrics)
ROUTERS = tuple(noun.router for noun in _NOUNS)


def create_app(context: Context) -> FastAPI:
    """Return the ASGI application; all but ``/metrics`` is under ``/v1``."""
    app = FastAPI(title="bluegreen", version=context.about.version, redoc_url=None)
    app.state.context = context
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
