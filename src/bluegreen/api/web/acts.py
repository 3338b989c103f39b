"""What people do by the dashboard's buttons: each asks first, saying what will happen, and then does it.

One value for each act; the pages are the same for all. Every act is a command of the engine, as for the API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bluegreen.api.context import Context
from bluegreen.api.web import holding, locking, plans
from bluegreen.api.web.page import Form
from bluegreen.api.web.plans import Plan, Target, number
from bluegreen.domain.rollout import Rollout
from bluegreen.engine.commands import instances, lookup, releases, services, traffic

Ask = Callable[[Context, Target], Awaitable[Plan]]
Do = Callable[[Context, Target, Form], Awaitable[Rollout | None]]
"""Returns the rollout that it begins or steers, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """``path`` ends with the verb; ``noun`` is what it is done to, as the audit trail calls it."""

    path: str
    noun: str
    ask: Ask
    do: Do

    @property
    def verb(self) -> str:
        return self.path.rpartition("/")[2]


async def _deploy(use: Context, target: Target, form: Form) -> Rollout | None:
    image = form.get("image", "").strip() or None
    return await releases.deploy(use.engine, target.name, stack=target.stack, image=image)


async def _rollback(use: Context, target: Target, form: Form) -> Rollout | None:
    to = number(form, "to") if form.get("to") else None
    return await releases.rollback(use.engine, target.name, stack=target.stack, to=to)


async def _scale(use: Context, target: Target, form: Form) -> Rollout | None:
    await services.scale(use.engine, target.name, number(form, "replicas"), stack=target.stack)
    return None


async def _switch(use: Context, target: Target, form: Form) -> Rollout | None:
    return await traffic.switch(use.engine, target.name, form.get("target", ""), stack=target.stack)


async def _back(use: Context, target: Target, form: Form) -> Rollout | None:
    return await traffic.rollback(use.engine, target.name, stack=target.stack)


async def _abort(use: Context, target: Target, form: Form) -> Rollout | None:
    return await releases.abort(use.engine, (await lookup.rollout(use.engine, target.name)).id)


async def _drain(use: Context, target: Target, form: Form) -> Rollout | None:
    why, force = form.get("why", "").strip()[:500], form.get("force") == "yes"
    await instances.drain(use.engine, target.name, why=why, force=force)
    return None


async def _ready(use: Context, target: Target, form: Form) -> Rollout | None:
    await instances.ready(use.engine, target.name)
    return None


_SERVICE, _ROUTE, _INSTANCE = "/services/{stack}/{name}", "/routes/{stack}/{name}", "/instances/{name}"

ACTS = (
    Act(path=f"{_SERVICE}/deploy", noun="services", ask=plans.deploy, do=_deploy),
    Act(path=f"{_SERVICE}/rollback", noun="services", ask=plans.rollback, do=_rollback),
    Act(path=f"{_SERVICE}/scale", noun="services", ask=plans.scale, do=_scale),
    Act(path=f"{_SERVICE}/lock", noun="services", ask=locking.ask_lock, do=locking.lock),
    Act(path=f"{_SERVICE}/unlock", noun="services", ask=locking.ask_unlock, do=locking.unlock),
    Act(path=f"{_ROUTE}/switch", noun="routes", ask=plans.switch, do=_switch),
    Act(path=f"{_ROUTE}/rollback", noun="routes", ask=plans.back, do=_back),
    Act(path="/rollouts/{id}/abort", noun="rollouts", ask=plans.abort, do=_abort),
    Act(path="/rollouts/{id}/pause", noun="rollouts", ask=holding.ask_pause, do=holding.pause),
    Act(path="/rollouts/{id}/resume", noun="rollouts", ask=holding.ask_resume, do=holding.resume),
    Act(path="/rollouts/{id}/promote", noun="rollouts", ask=holding.ask_promote, do=holding.promote),
    Act(path=f"{_INSTANCE}/drain", noun="instances", ask=plans.drain, do=_drain),
    Act(path=f"{_INSTANCE}/ready", noun="instances", ask=plans.ready, do=_ready),
)
