"""How each instance is asked whether it is well, for watchers outside: monit and the like."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.agent import Agent
from bluegreen.domain.check import HealthCheck
from bluegreen.domain.composition import pool_settings
from bluegreen.domain.instance import Instance
from bluegreen.engine.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One instance that is to run. ``host`` and ``port`` take its traffic: ``""`` and 0 while it has none.

    Times are seconds. ``check`` is what decides about its rotation, ``agent`` how bluegreen itself looks
    after it. ``proving`` says that it belongs to a release that has yet to show that it is well: that is
    the business of its rollout alone.
    """

    instance: str
    stack: str
    service: str
    host: str
    port: int
    check: HealthCheck
    agent: Agent
    stop_grace: float
    proving: bool


def checks(engine: Engine, stack: str | None = None, service: str | None = None) -> tuple[CheckView, ...]:
    """Return the checks of all instances (of one stack or service), sorted by instance."""
    found = (_check(engine, instance) for instance in engine.inventory.everything())
    chosen = [
        view
        for view in found
        if view is not None
        and stack in (None, view.stack)
        and service in (None, view.service, f"{view.service}.{view.stack}", f"{view.stack}/{view.service}")
    ]
    return tuple(sorted(chosen, key=lambda view: view.instance))


def _check(engine: Engine, instance: Instance) -> CheckView | None:
    record = engine.ledger.stacks.get(instance.stack)
    spec = record.spec.service(instance.service) if record is not None else None
    if record is None or spec is None:
        return None  # about to be removed
    rollout = engine.active((instance.stack, instance.service))
    return CheckView(
        instance=instance.name,
        stack=instance.stack,
        service=instance.service,
        host=instance.host or "",
        port=instance.port or 0,
        check=pool_settings(record.spec, instance.service)[0],
        agent=spec.agent,
        stop_grace=spec.stop_grace,
        proving=rollout is not None and not rollout.settled and rollout.target == instance.pool,
    )
