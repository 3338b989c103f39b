"""What the routers of all nouns have in common. Called by each module beside it."""

from __future__ import annotations

from fastapi import APIRouter

from bluegreen.api import problems
from bluegreen.api.access.route import GuardedRoute


def router_of(noun: str, prefix: str = "/v1") -> APIRouter:
    """Return the router of a noun of the design: guarded, and described with how it refuses."""
    return APIRouter(prefix=prefix, tags=[noun], route_class=GuardedRoute, responses=problems.DESCRIBED)
