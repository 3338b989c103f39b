"""One soak: load, faults one after the other, and the wait after each until all is well again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from bench.controller import FINAL, Controller, Refused
from bench.rotation import Rotation
from bench.soak.faults import REPLICAS, Fault, FaultKind, schedule
from bench.soak.figures import Happening, Lost
from bench.soak.hands import Hands, stage, tell
from bench.stacks import IMAGE, managed
from bluegreen.domain.agent import Agent
from bluegreen.domain.check import ANY_ANSWER, HealthCheck
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.stack import StackSpec
from bluegreen.load import LoadProcess, Plan, Result

PATIENCE = 20.0
"""Seconds that the users wait for an answer before they call it a failure."""

RATE = 200.0
CHECK = HealthCheck(method="OPTIONS", path="/ping", interval=1.0, timeout=1.0, rise=1, fall=2)
AGENT = Agent(check=replace(CHECK, expect=ANY_ANSWER), drain=1.0, budget=10_000, window=60.0)
GRACE = 2.0
_POLICY = RolloutPolicy(start_deadline=30.0, bake=0.0, drain=5.0)
_OUT_WITHIN = 20.0
_HEALED_WITHIN = 90.0
_ORPHANED = 3.0
_TAGS = ("0.0.1", "0.0.2")


class NotHealed(Exception):
    """What is wanted did not come back: a soak that went on would have two things wrong at once."""


@dataclass(slots=True, kw_only=True)
class Soaked:
    """What came of a soak on one runtime. ``complaints`` are what should not have been, in words.

    ``load_average`` is that of the machine over its last five minutes.
    """

    runtime: str
    seconds: float
    happenings: list[Happening] = field(default_factory=list)
    losses: list[Lost] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    result: Result | None = None
    load_average: float = 0.0


async def soak(runtime: str, seconds: float, seed: int, only: frozenset[str] = frozenset()) -> Soaked:
    """Run a soak; it ends early when something does not heal, which is a complaint."""
    found = Soaked(runtime=runtime, seconds=seconds)
    async with stage(runtime) as (controller, hands):
        await controller.up(_stack(controller.port))
        async with _users(controller, seconds) as load:
            begin = time.monotonic()
            await load.mark("soak", at=begin)
            injector = Injector(controller, hands, found.complaints)
            for fault in schedule(seed, runtime, only):
                await asyncio.sleep(fault.calm)
                if time.monotonic() > begin + seconds:
                    break
                try:
                    happened = await injector.inflict(fault)
                except (NotHealed, RuntimeError) as error:
                    found.complaints.append(f"{runtime}: {fault.kind.name}: {error}")
                    break
                found.happenings.append(happened)
                _say(runtime, begin, happened)
            found.result = await load.stop()
            found.losses = _losses(found.result, begin)
            found.load_average = os.getloadavg()[1]
        with contextlib.suppress(aiohttp.ClientError, Refused):
            found.events = await controller.get("/v1/events?limit=1000")
    return found


@contextlib.asynccontextmanager
async def _users(controller: Controller, seconds: float) -> AsyncIterator[LoadProcess]:
    plan = Plan(
        url=controller.url,
        duration=seconds + 10 * _HEALED_WITHIN,
        slow_path="/slow?seconds=0.5",
        rate=RATE,
        keepalive=16,
        oneshot=8,
        post=6,
        slow=4,
        timeout=PATIENCE,
        slow_timeout=PATIENCE,
        evidence=10_000,
    )
    async with await LoadProcess.start(plan) as load:
        yield load


def _stack(port: int) -> StackSpec:
    stack = managed(port, replicas=REPLICAS, check=CHECK, agent=AGENT, stop_grace=GRACE, rollout=_POLICY)
    return replace(stack, balancers=tuple(replace(balancer, check=CHECK) for balancer in stack.balancers))


def _losses(result: Result, marked: float) -> list[Lost]:
    start = marked - result.switches[0].begin_ms / 1e3
    return [
        Lost(
            user=failure.kind,
            outcome=failure.outcome,
            began=start + failure.at_ms / 1e3,
            ended=start + (failure.at_ms + failure.took_ms) / 1e3,
            detail=failure.detail,
        )
        for failure in result.first_failures
    ]


def _say(runtime: str, begin: float, one: Happening) -> None:
    times = [
        f"{n} {t:.2f} s" for n, t in (("out", one.time_out), ("heal", one.time_to_heal)) if t is not None
    ]
    words = f"{one.began - begin:6.1f} s {runtime} {one.kind} {one.victim}: {', '.join(times)}"
    print(words, file=sys.stderr, flush=True)


class Injector:
    """Does one fault after the other to the service ``web`` of the stack ``shop``."""

    def __init__(self, controller: Controller, hands: Hands, complaints: list[str]) -> None:
        self._controller = controller
        self._hands = hands
        self._complaints = complaints
        self._rotation = Rotation(controller.home)
        self._deploys = 0

    async def inflict(self, fault: Fault) -> Happening:
        """Do it, take it back if that is part of it, and wait until all is well.

        Raises :class:`NotHealed`.
        """
        kind = fault.kind
        addresses = await self._well(_HEALED_WITHIN)
        names = sorted(addresses)
        victims = names if kind.all else [names[fault.victim]]
        began = time.monotonic()
        doing = asyncio.ensure_future(self._do(kind, {name: addresses[name] for name in victims}))
        out = await self._left(victims) if kind.out else None
        await doing
        if kind.out and out is None:
            self._complaints.append(f"{kind.name} of {victims[0]}: not out within {_OUT_WITHIN:g} s")
        back = None
        if kind.lasts is not None:
            await asyncio.sleep(began + kind.lasts - time.monotonic())
            await self._take_back(kind, [addresses[name] for name in victims], victims)
            back = time.monotonic()
        await self._well(_HEALED_WITHIN)
        return Happening(
            kind=kind.name,
            victim="all" if kind.all else victims[0],
            began=began,
            out=out,
            back=back,
            healed=time.monotonic(),
        )

    async def _do(self, kind: FaultKind, victims: dict[str, str]) -> None:
        """Make ``kind`` befall ``victims`` (name → address)."""
        deeds = {"kill": self._hands.kill, "stop": self._hands.stop, "freeze": self._hands.freeze}
        ours = {"deploy": self._deploy, "controller": self._restart_controller}
        name = next(iter(victims))
        if kind.name in ours:
            await ours[kind.name]()
        elif kind.name == "orphan":
            await self._restart_controller(name)
        elif kind.name == "pause":
            await self._hands.pause(name, True)
        elif kind.name == "all-killed":
            await asyncio.gather(*(self._hands.kill(victim) for victim in victims))
        elif kind.name in deeds:
            await deeds[kind.name](name)
        else:
            wish = kind.name.removeprefix("all-")
            await asyncio.gather(*(tell(address, wish) for address in victims.values()))

    async def _restart_controller(self, orphan: str = "") -> None:
        await self._controller.kill()
        if orphan:
            await self._hands.kill(orphan)
            await asyncio.sleep(_ORPHANED)
        await self._controller.start_again()

    async def _take_back(self, kind: FaultKind, addresses: Sequence[str], names: Sequence[str]) -> None:
        if kind.name == "pause":
            await self._hands.pause(names[0], False)
        else:
            await asyncio.gather(*(tell(address, "heal") for address in addresses))

    async def _deploy(self) -> None:
        self._deploys += 1
        image = f"{IMAGE}:{_TAGS[self._deploys % 2]}"
        begun = await self._controller.post("/v1/services/web/deploy", {"image": image})
        rollout: dict[str, Any] = begun["rollout"]
        while rollout["phase"] not in FINAL:
            await asyncio.sleep(0.1)
            rollout = await self._controller.get(f"/v1/rollouts/{rollout['id']}")
        if rollout["outcome"]["exit_code"] != 0:
            self._complaints.append(f"deploy of {image}: {rollout['outcome']}")

    async def _left(self, victims: Sequence[str]) -> float | None:
        """Return when each of ``victims`` had been out of rotation at least for a moment."""
        missing = set(victims)

        def seen(names: frozenset[str]) -> bool:
            missing.intersection_update(names)
            return not missing

        return await self._rotation.when(seen, _OUT_WITHIN)

    async def _well(self, within: float) -> dict[str, str]:
        """Wait until as many as are wanted are in rotation, for bluegreen and for HAProxy, and nobody else
        is left; return their addresses by name. Raises :class:`NotHealed`."""
        deadline = time.monotonic() + within
        found: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                found = await self._controller.get("/v1/instances?service=web")
                names = {one["name"] for one in found if one["rotation"] == "in"}
                if len(found) == len(names) == REPLICAS and await self._rotation.names() == names:
                    return {one["name"]: one["address"] for one in found}
            await asyncio.sleep(0.1)
        states = "; ".join(f"{one['name']}: {one['state']}, {one['rotation']}: {one['why']}" for one in found)
        raise NotHealed(f"not all well within {within:g} s: {states}")
