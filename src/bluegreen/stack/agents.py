"""Who looks after a service's instances: ``x-bluegreen.agent``.

Called by :mod:`loading` once the service's own check is known: it is what the agent asks where it is not
told otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.agent import COMPAT_CHECK, Agent, AgentMode
from bluegreen.domain.check import CheckKind, HealthCheck, signs_of_life
from bluegreen.stack.checks import changed
from bluegreen.stack.models.health_keys import AgentKeys, AskedKeys
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report


def agent_of(service: CommonService, check: HealthCheck, report: Report) -> Agent:
    """Return the agent of a service that is checked by ``check``."""
    keys = service.own.agent
    if keys is None:
        return Agent()
    place = report.under("x-bluegreen", "agent")
    for name in ("budget", "window"):
        if getattr(keys, name) <= 0:
            hint = "write `agent: off` for no restarts at all"
            place.error("bad_value", f"{name}: must be greater than zero", name, hint=hint)
    mode = AgentMode(keys.mode)
    return Agent(
        mode=mode,
        check=_check(keys, mode, check, place),
        drain=keys.drain,
        budget=keys.budget,
        window=keys.window,
    )


def _check(keys: AgentKeys, mode: AgentMode, check: HealthCheck, place: Report) -> HealthCheck | None:
    said = [name for name in AskedKeys.model_fields if name in keys.model_fields_set]
    if mode is AgentMode.OFF:
        if said:
            message = f"{said[0]} has no effect: with `off` nobody asks"
            place.warn("ignored_key", message, said[0], hint="use `mode: safe`, or remove it", key=True)
        return None
    if mode is AgentMode.COMPAT:
        return changed(COMPAT_CHECK, keys, place)
    return changed(_patient(check), keys, place) if said else None


def _patient(check: HealthCheck) -> HealthCheck:
    """Return ``check`` with the times of an agent. Who names a path means the usual statuses by it."""
    kind = CheckKind.TCP if check.kind is CheckKind.NONE else check.kind
    return replace(signs_of_life(check), kind=kind, expect=HealthCheck().expect)
