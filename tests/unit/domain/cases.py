"""Short words for the values that the tables of the domain's tests are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.facts import Facts, InstanceFacts, PoolView
from bluegreen.domain.health import Health, Verdict
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.naming import Color, PoolId, RouteId, color_of, instance_name, pool_id
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Kind, Phase, Rollout
from bluegreen.domain.routing import Admin, Listener, ServerFacts, ServerHealth
from bluegreen.domain.spec import Link, ServiceSpec
from bluegreen.domain.stack import BalancerSpec, RouteSpec, StackSpec

NOW = 1000.0
BLUE, GREEN = pool_id("shop", "web", Color.BLUE), pool_id("shop", "web", Color.GREEN)
WEB = RouteId("shop.web")
CHECK = HealthCheck(path="/ping")
POLICY = RolloutPolicy(start_deadline=60, bake=300, drain=30, step_pause=10)
UP, DOWN = ServerHealth.UP, ServerHealth.DOWN


def rollout(phase: Phase = Phase.PREPARING, **fields: Any) -> Rollout:
    """A deploy of release 2 from blue to green that entered its phase this moment."""
    known: dict[str, Any] = {
        "id": "r",
        "kind": Kind.DEPLOY,
        "stack": "shop",
        "service": "web",
        "target": GREEN,
        "source": BLUE,
        "routes": (WEB,),
        "release": 2,
        "source_release": 1,
        "policy": POLICY,
        "phase": phase,
        "since": NOW,
        "step_since": NOW,
        "shifted_at": NOW,
    }
    return Rollout(**(known | fields))


def instance(pool: PoolId, index: int = 1, **fields: Any) -> Instance:
    release = fields.pop("release", 2 if pool == GREEN else 1)
    known: dict[str, Any] = {
        "name": instance_name("shop", "web", release, index),
        "stack": "shop",
        "service": "web",
        "release": release,
        "index": index,
        "color": color_of(pool),
        "config_hash": "x",
        "state": InstanceState.RUNNING,
        "host": f"10.0.{release}.{index}",
        "port": 3000,
        "started_at": NOW - 100,
    }
    return Instance(**(known | fields))


def one(
    pool: PoolId,
    index: int = 1,
    *,
    verdict: Verdict = Verdict.HEALTHY,
    server: ServerHealth | None = UP,
    last_check: str = "L7STS",
    **fields: Any,
) -> InstanceFacts:
    """One instance: running, well and known to the balancer unless said otherwise."""
    found = instance(pool, index, **fields)
    known = None
    if server is not None:
        known = ServerFacts(
            name=found.name,
            host="10.0.0.1",
            port=3000,
            admin=Admin.READY,
            health=server,
            last_check=last_check,
        )
    return InstanceFacts(instance=found, health=Health(verdict=verdict), server=known)


def view(
    pool: PoolId, *found: InstanceFacts, in_flight: int | None = 0, check: HealthCheck = CHECK
) -> PoolView:
    return PoolView(id=pool, check=check, instances=found, in_flight=in_flight)


def facts(**fields: Any) -> Facts:
    """Both colors well, all traffic on blue, nothing in flight."""
    known: dict[str, Any] = {
        "now": NOW,
        "target": view(GREEN, one(GREEN)),
        "source": view(BLUE, one(BLUE)),
        "weights": {WEB: {BLUE: 100}},
    }
    return Facts(**(known | fields))


def on_green(**fields: Any) -> Facts:
    return facts(**({"weights": {WEB: {GREEN: 100}}} | fields))


def record(**fields: Any) -> ServiceRecord:
    known: dict[str, Any] = {"stack": "shop", "name": "web", "releases": {Color.BLUE: 1}, "promoted": (1,)}
    return ServiceRecord(**(known | fields))


def spec(name: str = "web", **fields: Any) -> ServiceSpec:
    return replace(ServiceSpec(name=name, image=f"{name}:1", check=CHECK), **fields)


def stack(*services: ServiceSpec, name: str = "shop", port: int = 80, **fields: Any) -> StackSpec:
    """A stack whose balancer ``lb`` leads one route, ``web``, to its first service."""
    found = services or (spec(),)
    return StackSpec(
        name=name,
        services=found,
        balancers=(
            BalancerSpec(
                name="lb",
                links=(Link(service=found[0].name, alias=found[0].name),),
                listeners=(Listener(port=port),),
            ),
        ),
        routes=(
            RouteSpec(
                name="web",
                balancer="lb",
                port=port,
                target=found[0].name,
                candidates=tuple(s.name for s in found),
            ),
        ),
        **fields,
    )
