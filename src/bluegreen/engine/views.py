"""What people see: the world and the wishes joined, as plain values for the API and the CLI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.domain.errors import Temporary
from bluegreen.domain.facts import InstanceFacts
from bluegreen.domain.instance import Instance
from bluegreen.domain.latency import Traffic
from bluegreen.domain.live import live_pool
from bluegreen.domain.lock import Lock
from bluegreen.domain.naming import Color, PoolId, pool_id, route_id, service_of
from bluegreen.domain.override import in_force
from bluegreen.domain.plan import live_release
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout, told
from bluegreen.domain.rotation import all_refused, standing
from bluegreen.domain.routing import BalancerFacts
from bluegreen.domain.secrecy import struck
from bluegreen.domain.spec import config_hash
from bluegreen.domain.stack import RouteSpec
from bluegreen.engine.commands import locks
from bluegreen.engine.engine import Engine
from bluegreen.engine.ledger import ServiceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance. ``rotation`` is ``in``, ``out`` or ``-`` (not behind a balancer), ``why`` says why, and
    ``since`` since when (UNIX seconds). ``alive`` is the agent's last answer, where it had to ask."""

    name: str
    stack: str
    service: str
    color: str
    release: int
    state: str
    address: str
    rotation: str
    why: str
    since: float
    share: int
    in_flight: int
    started_at: float
    restarts: int
    image: str
    last_probe: str
    alive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorView:
    """``traffic`` is the last minute as users saw it; ``None`` where nothing is measured or nobody asked."""

    color: str
    release: int
    image: str
    wanted: int
    running: int
    serving: int
    in_flight: int
    share: int
    traffic: Traffic | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service. ``state`` uses Docker Cloud's words; ``synchronized`` is false while the
    definition differs from what runs (``(*)`` in ``service ps``). ``alarm`` is the code of what people
    are to look at: what keeps the agent from restarting what hangs, or that no instance passes its check."""

    name: str
    stack: str
    state: str
    image: str
    replicas: int
    running: int
    live_color: str
    live_release: int
    routed: bool
    synchronized: bool
    colors: tuple[ColorView, ...]
    rollout: Rollout | None
    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """One route. ``live`` is the service that has the traffic, ``target`` the one it is to have.
    ``maintenance`` says why it answers 503 to everybody, by a person's wish; ``None`` when it does not."""

    name: str
    stack: str
    balancer: str
    port: int
    host: str
    path: str
    live: str
    target: str
    weights: Mapping[PoolId, int]
    synchronized: bool
    maintenance: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxView:
    """A balancer on another box, as it reports. ``behind``: it does not carry yet what was published last.

    ``stale_since`` (UNIX seconds, by its clock) and ``trouble`` say since when and why it may be out of date.
    One that is ``lost`` followed and is not heard of: it may go on with what it was told last.
    """

    name: str
    stack: str
    balancer: str
    behind: bool
    stale_since: float | None
    trouble: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """Everything at one look. ``balancer`` says why the balancer did not answer, if it did not; ``registry``
    why a registry does not know what it is to know, ``registry_since`` (UNIX seconds) since when. ``locks``
    are those that hold."""

    services: tuple[ServiceView, ...]
    routes: tuple[RouteView, ...]
    instances: tuple[InstanceView, ...]
    rollouts: tuple[Rollout, ...]
    balancer: str = ""
    registry: str = ""
    registry_since: float | None = None
    boxes: tuple[BoxView, ...] = ()
    locks: tuple[Lock, ...] = ()


class Viewer:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def status(self, stack: str | None = None) -> StatusView:
        view, _ = await self.look(stack)
        return view

    async def look(self, stack: str | None = None) -> tuple[StatusView, BalancerFacts | None]:
        """Return what people see, and what the balancer said for it; ``None`` when it said nothing."""
        facts, silent = await self._balancer()
        keys = [k for k in self._engine.ledger.services if stack in (None, k[0])]
        instances = tuple(self._instances(keys, facts))
        services = [await self._service(key, instances) for key in keys]
        active = tuple(told(r) for r in self._engine.rollouts() if not r.final and stack in (None, r.stack))
        view = StatusView(
            services=tuple(services),
            routes=tuple(self._routes(stack, facts)),
            instances=instances,
            rollouts=active,
            balancer=silent,
            locks=locks.listed(self._engine, stack),
            **self._elsewhere(stack),
        )
        return view, facts

    def _elsewhere(self, stack: str | None) -> dict[str, Any]:
        """Return what is known of the registry, and of the balancers that follow it."""
        announcer = self._engine.drivers.announcer
        if announcer is None:
            return {}
        boxes = [
            BoxView(
                name=report.box,
                stack=name,
                balancer=report.balancer,
                behind=report.revision < announcer.revision(name),
                stale_since=report.stale_since,
                trouble="; ".join(report.trouble),
            )
            for name, reports in announcer.reports.items()
            for report in reports.values()
            if stack in (None, name)
        ]
        boxes += [
            BoxView(
                name=box,
                stack=name,
                balancer="-" if mark is None else mark.balancer,
                behind=True,
                stale_since=None,
                trouble="no old color is ended: it may still lead users there",
                lost=True,
            )
            for name in announcer.marks
            for box, mark in announcer.lost(name).items()
            if stack in (None, name)
        ]
        standing = announcer.standing
        return {"registry": standing.trouble, "registry_since": standing.since, "boxes": tuple(boxes)}

    async def _balancer(self) -> tuple[BalancerFacts | None, str]:
        if not self._engine.switchboard.routing.listeners:
            return None, ""
        try:
            return await self._engine.switchboard.observe(), ""
        except Temporary as error:
            return None, error.message

    def _instances(self, keys: list[ServiceKey], facts: BalancerFacts | None) -> list[InstanceView]:
        shares = self._shares(facts)
        found = []
        for key in keys:
            record = self._engine.ledger.services[key]
            secrets = self._engine.ledger.secrets(*key)
            for instance in sorted(self._engine.inventory.instances(key), key=lambda i: i.name):
                view = self._instance(instance, record, facts, shares)
                found.append(_discreet(view, secrets) if secrets else view)
        return found

    def _instance(
        self,
        instance: Instance,
        record: ServiceRecord,
        facts: BalancerFacts | None,
        shares: Mapping[PoolId, int],
    ) -> InstanceView:
        view = self._engine.observer.view(instance.stack, instance.pool, facts)
        one = next((i for i in view.instances if i.instance.name == instance.name), None)
        one = one or InstanceFacts(instance=instance)
        pool = self._engine.switchboard.routing.pools.get(instance.pool)
        refused = all_refused(i.server for i in view.instances if i.server is not None)
        stands = standing(
            one,
            view,
            in_force(record.overrides, self._engine.clock.now()).get(instance.name),
            routed=pool is not None,
            balancer_checks=self._engine.drivers.balancer.checks,
            last_good=refused and pool is not None and pool.options.keep_last_good,
        )
        since = self._engine.pools.since(instance.pool, instance.name)
        alive = self._engine.guardian.alive(instance)
        return InstanceView(
            name=instance.name,
            stack=instance.stack,
            service=instance.service,
            color=str(instance.color or ""),
            release=instance.release,
            state=str(instance.state),
            address="" if instance.host is None else f"{instance.host}:{instance.port or '-'}",
            rotation=stands.rotation,
            why=stands.why,
            since=instance.started_at if since is None else since,
            alive="" if alive.last is None else f"{alive.verdict}: {alive.last.describe()}",
            share=shares.get(instance.pool, 0),
            in_flight=one.server.in_flight if one.server is not None else 0,
            started_at=instance.started_at,
            restarts=instance.restarts,
            image=instance.image,
            last_probe=one.health.last.describe() if one.health.last is not None else "",
        )

    def _shares(self, facts: BalancerFacts | None) -> dict[PoolId, int]:
        shares: dict[PoolId, int] = {}
        for weights in facts.weights.values() if facts is not None else ():
            for pool, share in weights.items():
                shares[pool] = max(share, shares.get(pool, 0))
        return shares

    async def _service(self, key: ServiceKey, instances: tuple[InstanceView, ...]) -> ServiceView:
        record = self._engine.ledger.services[key]
        releases = await self._engine.ledger.releases(*key)
        live = live_release(record, releases)
        spec = self._engine.ledger.spec(key[0]).service(key[1])
        own = [i for i in instances if (i.stack, i.service) == key]
        running = sum(i.state == "running" for i in own)
        colors = [
            _color_view(c, n, record, releases, own, self._engine.meter.traffic(pool_id(*key, c)))
            for c, n in sorted(record.releases.items())
        ]
        current = {n: c for c, n in record.releases.items()}
        same = spec is None or live is None or config_hash(spec) == config_hash(live.spec)
        return ServiceView(
            name=key[1],
            stack=key[0],
            state=_state(record, running, self._engine.active(key)),
            image=(live.spec.image if live is not None else spec.image if spec else None) or "",
            replicas=record.replicas,
            running=running,
            live_color=str(current[live.number]) if live is not None else "",
            live_release=live.number if live is not None else 0,
            routed=any(pool_id(*key, c) in self._engine.switchboard.routing.pools for c in Color),
            synchronized=same,
            colors=tuple(colors),
            rollout=None if (active := self._engine.active(key)) is None else told(active),
            alarm=self._engine.guardian.held(key) or self._engine.pools.alarm(key),
        )

    def _routes(self, stack: str | None, facts: BalancerFacts | None) -> list[RouteView]:
        found = []
        for record in self._engine.ledger.stacks.values():
            for route in record.spec.routes if stack in (None, record.spec.name) else ():
                found.append(self._route(record.spec.name, route, facts))
        return found

    def _route(self, stack: str, route: RouteSpec, facts: BalancerFacts | None) -> RouteView:
        key = route_id(stack, route.name)
        pool = live_pool(self._engine.switchboard.routing, key)
        live = service_of(pool) if pool is not None else ""
        wanted = self._engine.switchboard.routing.routes.get(key)
        weights = facts.weights.get(key, {}) if facts else wanted.weights if wanted else {}
        return RouteView(
            name=route.name,
            stack=stack,
            balancer=route.balancer,
            port=route.port,
            host=route.host or "",
            path=route.path or "",
            live=live,
            target=route.target,
            weights=dict(weights),
            synchronized=not live or live == route.target,
            maintenance=None if route.maintenance is None else route.maintenance.why,
        )


def _discreet(view: InstanceView, secrets: frozenset[str]) -> InstanceView:
    """Return ``view`` without secrets: an application may say them in an answer to a probe."""
    why, probe, alive = (struck(text, secrets) for text in (view.why, view.last_probe, view.alive))
    return replace(view, why=why, last_probe=probe, alive=alive)


def _color_view(
    color: Color,
    number: int,
    record: ServiceRecord,
    releases: tuple[Release, ...],
    instances: list[InstanceView],
    traffic: Traffic | None,
) -> ColorView:
    own = [i for i in instances if i.color == color]
    release = next((r for r in releases if r.number == number), None)
    return ColorView(
        color=str(color),
        release=number,
        image=(release.spec.image if release is not None else None) or "",
        wanted=record.replicas,
        running=sum(i.state == "running" for i in own),
        serving=sum(i.rotation == "in" for i in own),
        in_flight=sum(i.in_flight for i in own),
        share=max((i.share for i in own), default=0),
        traffic=traffic,
    )


def _state(record: ServiceRecord, running: int, rollout: Rollout | None) -> str:
    """Return Docker Cloud's word for the state of a service."""
    if record.stopped:
        return "Stopped" if running == 0 else "Stopping"
    if not record.releases:
        starting = rollout is not None and not rollout.final
        return "Starting" if starting else "Terminated" if record.promoted else "Not running"
    if rollout is not None and not rollout.settled and rollout.starts_target:
        return "Redeploying" if rollout.source is not None else "Starting"
    wanted = record.replicas * len(record.releases)
    if running == 0 and wanted:
        return "Not running"
    return "Running" if running >= wanted else "Partly running"
