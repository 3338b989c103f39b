"""Keeps a stack's definition in agreement with where its traffic went.

A switch or a release that succeeded is what people want from then on; one that failed or went back
is not. So a later ``redeploy`` is never a surprise. What a person changed meanwhile is left alone.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.naming import RouteId, route_id, service_of
from bluegreen.domain.rollout import Happened, Rollout
from bluegreen.domain.spec import Link, ServiceSpec
from bluegreen.domain.stack import BalancerSpec, StackSpec


def after(stack: StackSpec, rollout: Rollout, happened: Happened) -> StackSpec | None:
    """Return the stack's definition after ``happened``; ``None`` when it does not change."""
    changed = stack
    if happened is Happened.SHIFTED and rollout.routes:
        changed = aim(stack, rollout.routes, service_of(rollout.target))
    elif happened is Happened.REVERTED and rollout.routes and rollout.source is not None:
        changed = aim(stack, rollout.routes, service_of(rollout.source))
    if happened is Happened.SETTLED:
        changed = _defined(changed, rollout.former, rollout.spec)
    elif happened in {Happened.CLEANED, Happened.REVERTED}:
        changed = _defined(changed, rollout.spec, rollout.former)
    return None if changed == stack else changed


def _defined(stack: StackSpec, before: ServiceSpec | None, after: ServiceSpec | None) -> StackSpec:
    """Return ``stack`` with the service defined by ``after``, if it is still defined by ``before``."""
    if before is None or after is None or stack.service(before.name) != before:
        return stack
    services = tuple(after if service == before else service for service in stack.services)
    return replace(stack, services=services)


def aim(stack: StackSpec, routes: tuple[RouteId, ...], service: str) -> StackSpec:
    """Return ``stack`` with ``routes``, and the links of their balancers, aimed at ``service``."""
    moved = {r.name for r in stack.routes if route_id(stack.name, r.name) in routes}
    former = {r.target for r in stack.routes if r.name in moved} - {service}
    balancers = {r.balancer for r in stack.routes if r.name in moved}
    return replace(
        stack,
        routes=tuple(replace(r, target=service) if r.name in moved else r for r in stack.routes),
        balancers=tuple(_relinked(b, former, service) if b.name in balancers else b for b in stack.balancers),
    )


def _relinked(balancer: BalancerSpec, former: set[str], service: str) -> BalancerSpec:
    links = dict.fromkeys(
        Link(service=service, alias=service) if link.service in former else link for link in balancer.links
    )
    return replace(balancer, links=tuple(links))
