"""``/metrics``: for Prometheus, in its text format."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from bluegreen.api.context import StackName, Use
from bluegreen.api.metrics.snapshot import Snapshot
from bluegreen.api.routes.noun import router_of

router = router_of("metrics", prefix="")


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(use: Use, stack: StackName = None) -> Response:
    """Return requests, waits, errors, instances, shares, rollouts by color; of the controller itself, too."""
    view, facts = await use.viewer.look(stack)
    now = CollectorRegistry()
    now.register(Snapshot(view=view, facts=facts, measured=use.engine.meter.totals))
    counted = b"" if stack is not None else generate_latest(use.tally.registry)
    return Response(generate_latest(now) + counted, media_type=CONTENT_TYPE_LATEST)
