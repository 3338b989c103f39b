"""What is known of the world at one moment, as :func:`bluegreen.domain.decide.decide` sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Health, Verdict
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import ServerFacts, ServerHealth

SETTLE_PORTLESS = 1.0
"""Seconds an instance that cannot be probed must have run before it counts as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """One instance: what its runtime, our probe and the balancer say of it."""

    instance: Instance
    health: Health = Health()
    server: ServerFacts | None = None

    def well(self, check: HealthCheck, now: float) -> bool:
        """True when the instance runs and has proved that it can serve.

        Where our check asks little (a connection, or nothing), the runtime's own health check must have
        passed; where it asks more, it is enough that the runtime's does not fail.
        """
        if not self.instance.running or self.instance.health == "unhealthy":
            return False
        if check.kind in {CheckKind.NONE, CheckKind.TCP} and self.instance.health == "starting":
            return False
        if check.kind is CheckKind.NONE or self.instance.port is None:
            return now >= self.instance.started_at + SETTLE_PORTLESS
        return self.health.verdict is Verdict.HEALTHY

    @property
    def failing(self) -> bool:
        """True when it is known not to serve. Not yet probed (a new controller) is not failing."""
        sick = self.health.verdict is Verdict.SICK or self.instance.health == "unhealthy"
        return not self.instance.running or sick

    def died_since(self, moment: float, check: HealthCheck, now: float) -> bool:
        """True when it ended at ``moment`` or later, was brought back, and has not proved itself again."""
        came_back = self.instance.restarts > 0 and self.instance.started_at >= moment
        return came_back and not self.well(check, now)

    @property
    def crashed(self) -> bool:
        """True when the instance ended and nothing will bring it back."""
        return self.instance.state is InstanceState.EXITED

    @property
    def confirmed(self) -> bool:
        """True when the balancer's own check found it well, or the balancer makes none.

        One that has just begun to check says so: a server that was never asked is no proof.
        """
        if self.server is None:
            return False
        unchecked = self.server.health is ServerHealth.UNCHECKED and not self.server.last_check
        return unchecked or self.server.health is ServerHealth.UP

    @property
    def up(self) -> bool:
        return self.server is not None and self.server.health is ServerHealth.UP


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool. ``in_flight`` is ``None`` when the balancer did not say."""

    id: PoolId
    check: HealthCheck
    instances: tuple[InstanceFacts, ...] = ()
    in_flight: int | None = None

    def well(self, now: float) -> tuple[InstanceFacts, ...]:
        return tuple(i for i in self.instances if i.well(self.check, now))

    @property
    def idle(self) -> bool:
        return self.in_flight == 0 or not self.instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One immutable look at everything a rollout depends on. ``now`` is UNIX seconds.

    ``weights`` holds the observed weights of each of the rollout's routes, ``None`` when the
    balancer did not answer; ``unheard`` tells who may carry others, as nothing is heard of them.
    ``waiting_for`` names dependencies that are not up yet, ``failed_dependency`` one whose own rollout
    failed. ``down`` holds each dependency that was up once and has no running instance now, with what
    became of it: the health check says whether that matters.
    """

    now: float
    target: PoolView
    source: PoolView | None = None
    weights: Mapping[RouteId, Mapping[PoolId, int]] | None = field(default_factory=dict)
    unheard: tuple[str, ...] = ()
    waiting_for: tuple[str, ...] = ()
    failed_dependency: str = ""
    down: tuple[tuple[str, str], ...] = ()
