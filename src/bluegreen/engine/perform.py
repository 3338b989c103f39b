"""Carries out steps: one :class:`~bluegreen.domain.steps.Step` → calls to ports, under deadlines.

Raises what the ports raise. Says nothing of what follows: the next look at the world does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import TypeVar

import structlog

from bluegreen.domain.decide import PREPARE_DEADLINE
from bluegreen.domain.errors import BluegreenError, OutcomeUnknown
from bluegreen.domain.instance import InstanceSpec
from bluegreen.domain.naming import Color, PoolId, color_of, service_of
from bluegreen.domain.release import Release, instance_spec
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.secrecy import struck
from bluegreen.domain.spec import ServiceSpec, config_hash
from bluegreen.domain.stack import StackSpec
from bluegreen.domain.steps import Admit, Cut, SetWeights, StartPool, Step, StopPool
from bluegreen.engine.drivers import Drivers
from bluegreen.engine.inventory import Inventory
from bluegreen.engine.ledger import Ledger
from bluegreen.engine.observe import Observer
from bluegreen.engine.pools import Pools
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock

log = structlog.get_logger()

START_DEADLINE = 60.0
STOP_MARGIN = 20.0
"""Seconds a stop may take beyond the instance's own grace."""


class Performer:
    def __init__(
        self,
        drivers: Drivers,
        ledger: Ledger,
        inventory: Inventory,
        observer: Observer,
        switchboard: Switchboard,
        pools: Pools,
        clock: Clock,
    ) -> None:
        self._runtime = drivers.runtime
        self._console = drivers.console
        self._pools = pools
        self._ledger = ledger
        self._inventory = inventory
        self._observer = observer
        self._switchboard = switchboard
        self._clock = clock

    async def perform(self, rollout: Rollout, step: Step) -> None:
        match step:
            case StartPool(pool, replicas):
                await self._start_pool(rollout, pool, replicas)
            case Admit(pool):
                await self._admit(rollout, pool)
            case SetWeights(routes, weights):
                await self._switchboard.set_weights(routes, weights)
            case Cut(pool):
                await self._switchboard.cut(pool)
            case StopPool(pool):
                await self.stop_pool(rollout.stack, pool)
            case _:
                raise AssertionError(step)  # Prepare has its own outcome: see prepare()

    async def prepare(self, rollout: Rollout) -> Release:
        """Return the release to run: the recorded one when it exists, else a newly resolved one."""
        known = await self._ledger.release(rollout.stack, rollout.service, rollout.release)
        spec = known.spec if known is not None else self._spec(rollout)
        asked = replace(spec, image=known.image) if known is not None and known.image else spec
        prepared = await _within(
            PREPARE_DEADLINE, self._runtime.prepare(rollout.stack, asked), "preparing the image"
        )
        if known is not None:
            return known
        return Release(
            stack=rollout.stack,
            service=rollout.service,
            number=rollout.release,
            spec=spec,
            image=prepared.image,
            config_hash=config_hash(spec, prepared.digest or prepared.image),
            created_at=self._clock.now(),
            ports=prepared.ports,
        )

    async def start(self, release: Release, color: Color, index: int) -> None:
        instance = self._instance(release, color, index)
        await _within(START_DEADLINE, self._runtime.start(instance), f"starting {instance.name}")

    async def stop(self, name: str, grace: float) -> None:
        await self._say_goodbye(name, grace)
        await _within(grace + STOP_MARGIN, self._runtime.stop(name), f"stopping {name}")

    async def remove(self, name: str, grace: float) -> None:
        await self._say_goodbye(name, grace)
        await _within(grace + STOP_MARGIN, self._runtime.remove(name), f"removing {name}")
        self._inventory.forget(name)

    async def _say_goodbye(self, name: str, grace: float) -> None:
        """Run the release's own command before its stop signal. It may fail, but not for ever."""
        instance = self._inventory.find(name)
        if instance is None or not instance.running:
            return
        release = await self._ledger.release(instance.stack, instance.service, instance.release)
        if release is None or not release.spec.pre_stop:
            return
        try:
            async with asyncio.timeout(grace):
                code, output = await self._console.execute(name, release.spec.pre_stop)
            if code != 0:
                said = struck(output, self._ledger.secrets(instance.stack, instance.service))
                log.warning("pre_stop.failed", instance=name, exit_code=code, output=said[-200:])
        except (BluegreenError, TimeoutError) as error:
            log.warning("pre_stop.failed", instance=name, error=str(error) or f"not done in {grace:g} s")

    async def stop_pool(self, stack: str, pool: PoolId) -> None:
        """Take the pool's instances from the balancer, then remove them, all at the same time."""
        await self._switchboard.set_servers(pool, ())
        view = self._observer.view(stack, pool)
        releases = await self._ledger.releases(stack, service_of(pool))
        graces = {release.number: release.spec.stop_grace for release in releases}
        await _together(
            self.remove(one.instance.name, graces.get(one.instance.release, 10.0)) for one in view.instances
        )
        await self._inventory.refresh((stack, service_of(pool)))

    async def _start_pool(self, rollout: Rollout, pool: PoolId, replicas: int) -> None:
        release = await self._ledger.release(rollout.stack, rollout.service, rollout.release)
        assert release is not None, rollout
        color = color_of(pool)
        await _together(self.start(release, color, index) for index in range(1, replicas + 1))
        await self._inventory.refresh((rollout.stack, rollout.service))

    async def _admit(self, rollout: Rollout, pool: PoolId) -> None:
        own = pool == rollout.target
        view = self._observer.target(rollout) if own else self._observer.view(rollout.stack, pool)
        await self._pools.admit(self._ledger.services[(rollout.stack, service_of(pool))], view)

    def _spec(self, rollout: Rollout) -> ServiceSpec:
        spec = rollout.spec or self._ledger.spec(rollout.stack).service(rollout.service)
        assert spec is not None, rollout
        return spec

    def _instance(self, release: Release, color: Color, index: int) -> InstanceSpec:
        stack = self._ledger.stacks.get(release.stack)
        names = aliases(stack.spec, release.service, color) if stack is not None else ()
        return replace(instance_spec(release, color, index, names), spec=runnable(release))


def runnable(release: Release) -> ServiceSpec:
    """Return the release's spec with the port that carries its traffic filled in, if it has one."""
    spec = release.spec
    known = (spec.port, *spec.expose, *(p.container for p in spec.ports), *release.ports)
    return replace(spec, port=next((port for port in known if port is not None), None))


def aliases(stack: StackSpec, service: str, color: Color) -> tuple[str, ...]:
    """Return the names under which the rest of the stack finds an instance of ``service``."""
    linked = (link.alias for spec in stack.services for link in spec.links if link.service == service)
    return tuple(dict.fromkeys((service, f"{service}-{color}", *linked)))


async def _together(calls: Iterable[Awaitable[None]]) -> None:
    """Wait for all; then raise the first error that says most about what to do."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if errors:
        raise next((e for e in errors if isinstance(e, BluegreenError)), errors[0])


T = TypeVar("T")


async def _within(seconds: float, call: Awaitable[T], what: str) -> T:
    """Await ``call`` under a deadline, after which nobody knows whether it happened."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError as error:
        raise OutcomeUnknown(
            f"{what} took longer than {seconds:g} s",
            code="runtime_timeout",
            hint="It may still happen: bluegreen looks again before it acts. See `bluegreen doctor`.",
        ) from error
