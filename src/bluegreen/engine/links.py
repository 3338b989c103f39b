"""Where what a service is linked to is found now, as Docker Cloud's variables."""

from __future__ import annotations

from bluegreen.domain.link_variables import link_variables
from bluegreen.domain.live import live_color
from bluegreen.domain.spec import Link
from bluegreen.engine.commands import lookup
from bluegreen.engine.engine import Engine


def link_environment(engine: Engine, service: str, stack: str | None = None) -> dict[str, str]:
    """Return the variables of all links of a service (or balancer), sorted by name.

    They name the instances of the live color that run at this moment; who needs to follow changes asks a
    registry. Raises ``UserError`` (``unknown_service``).
    """
    found: dict[str, str] = {}
    name, links = _links(engine, service, stack)
    for link in links:
        spec = engine.ledger.spec(name).service(link.service)
        record = engine.ledger.services.get((name, link.service))
        if spec is None or record is None:
            continue
        live = live_color(record)
        instances = engine.inventory.instances((name, link.service))
        addresses = [
            (i.host, i.port, spec.port or next(iter(spec.expose), None) or i.port)
            for i in sorted(instances, key=lambda i: (i.release, i.index))
            if i.running and i.host is not None and i.port is not None and live in (None, i.color)
        ]
        found |= link_variables(link.alias, addresses, spec.environment, spec.secrets)
    return dict(sorted(found.items()))


def _links(engine: Engine, service: str, stack: str | None) -> tuple[str, tuple[Link, ...]]:
    if lookup.is_balancer(engine, service, stack):
        spec, route = lookup.routes(engine, service, stack)[0]
        balancer = spec.balancer(route.balancer)
        return spec.name, balancer.links if balancer is not None else ()
    key = lookup.service(engine, service, stack)
    wanted = engine.ledger.spec(key[0]).service(key[1])
    return key[0], wanted.links if wanted is not None else ()
