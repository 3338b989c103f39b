"""``/metrics``: for Prometheus, in its text format."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from bluegreen.api.access.route import GuardedRoute
from bluegreen.api.context import Context, StackName, Use
from bluegreen.api.metrics.snapshot import Snapshot
from bluegreen.domain.errors import Temporary
from bluegreen.domain.routing import BalancerFacts

router = APIRouter(tags=["metrics"], route_class=GuardedRoute)


@router.get("/metrics", response_class=Response)
async def metrics(use: Use, stack: StackName = None) -> Response:
    """Return requests, errors, instances, shares and rollouts by color; of the controller itself, too."""
    view = await use.viewer.status(stack)
    now = CollectorRegistry()
    now.register(Snapshot(view=view, facts=await _facts(use)))
    counted = b"" if use.tally is None or stack is not None else generate_latest(use.tally.registry)
    return Response(generate_latest(now) + counted, media_type=CONTENT_TYPE_LATEST)


async def _facts(use: Context) -> BalancerFacts | None:
    if not use.engine.switchboard.routing.listeners:
        return None
    try:
        return await use.engine.switchboard.observe()
    except Temporary:
        return None
