"""``/v1/export`` and ``/v1/checks``: what others are told who balance or watch what runs here."""

from __future__ import annotations

from typing import Any

from bluegreen.api.context import Context, StackName, Use
from bluegreen.api.models import dump, parse_stack
from bluegreen.api.routes.noun import router_of
from bluegreen.domain.composition import compose
from bluegreen.domain.excerpt import of_stack
from bluegreen.domain.routing import Routing
from bluegreen.engine.checks import checks
from bluegreen.engine.commands import lookup

router = router_of("export")


@router.get("/export/{format}")
async def running(use: Use, format: str, stack: StackName = None) -> Any:
    """Return what runs now as the configuration of a balancer: `haproxy` or `nginx`."""
    if stack is not None:
        lookup.stack(use.engine, stack)
    return _export(use, format, of_stack(use.engine.switchboard.routing, stack))


@router.post("/export/{format}")
async def planned(use: Use, format: str, document: dict[str, Any]) -> Any:
    """Return a stack, with what runs of it, as the configuration of a balancer; change nothing."""
    spec = parse_stack(document)
    return _export(use, format, of_stack(compose([spec], use.engine.switchboard.routing), spec.name))


@router.get("/checks")
async def listing(use: Use, stack: StackName = None, service: str | None = None) -> Any:
    """Return, for each instance, where it takes requests and how to ask whether it is well."""
    return dump(checks(use.engine, stack, service))


def _export(use: Context, format: str, routing: Routing) -> Any:
    if format not in use.exporters:
        raise lookup.unknown("format", format, use.exporters)
    return dump(use.exporters[format](routing))
