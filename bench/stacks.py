"""The stacks that the rows bring up: the sample application in two colors, or managed."""

from __future__ import annotations

from typing import Any

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.routing import Listener
from bluegreen.domain.spec import Link, ProcessSpec, RestartPolicy, ServiceSpec
from bluegreen.domain.stack import BalancerSpec, RouteSpec, StackSpec

IMAGE = "tactivos/devops-challenge"
CHECK = HealthCheck(method="OPTIONS", path="/ping", interval=2.0, timeout=1.0, rise=1, fall=2)
"""That of the reference stack (``check inter 2000 rise 1 fall 2``)."""


def sample(name: str, tag: str, **fields: Any) -> ServiceSpec:
    """Return a service that runs the sample application, in a container or as a process."""
    command = ("{python}", "-m", "bluegreen.sample.app", "--version", "{tag}", "--port", "{port}")
    defaults = {
        "image": f"{IMAGE}:{tag}",
        "process": ProcessSpec(command=command),
        "check": CHECK,
        "restart": RestartPolicy.ALWAYS,
        "rollout": RolloutPolicy(start_deadline=20.0, bake=60.0, drain=10.0),
    }
    return ServiceSpec(name=name, **{**defaults, **fields})


def two_colors(port: int) -> StackSpec:
    """Return a stack in Docker Cloud's way: two declared colors behind ``lbx``, green live."""
    services = sample("webx-green", "0.0.1"), sample("webx-blue", "0.0.2")
    names = tuple(service.name for service in services)
    return StackSpec(
        name="cloud",
        services=services,
        balancers=(
            BalancerSpec(
                name="lbx",
                links=(Link(service=names[0], alias=names[0]),),
                listeners=(Listener(port=port, address="127.0.0.1"),),
                check=CHECK,
            ),
        ),
        routes=(RouteSpec(name="lbx", balancer="lbx", port=port, target=names[0], candidates=names),),
    )


def managed(port: int, tag: str = "0.0.1", **fields: Any) -> StackSpec:
    """Return a stack with one managed service ``web`` whose colors alternate."""
    return StackSpec(
        name="shop",
        services=(sample("web", tag, **fields),),
        balancers=(
            BalancerSpec(name="balancer", listeners=(Listener(port=port, address="127.0.0.1"),), check=CHECK),
        ),
        routes=(RouteSpec(name="web", balancer="balancer", port=port, target="web", candidates=("web",)),),
    )
