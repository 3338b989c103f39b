"""Where the journal suite plays: the stage a driver provides, and the values that are recorded on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.events import Event
from bluegreen.domain.lock import Lock
from bluegreen.domain.naming import PoolId
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Kind, Phase, Rollout
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec
from bluegreen.ports.journal import (
    Journal,
    StackRecord,
)
from bluegreen.testing.suite import Suite

NOW = 1_700_000_000.0


class Stage(Protocol):
    """Where one journal lives. Everything is gone when its context ends."""

    def open(self) -> AbstractAsyncContextManager[Journal]:
        """Open the journal as a controller does. May be open several times at once."""
        ...


def a_stack(generation: int = 1, name: str = "shop") -> StackRecord:
    lock = Lock(stack=name, service="web", who="ana", why="the sale", since=NOW, until=NOW + 60.0)
    return StackRecord(spec=StackSpec(name=name), generation=generation, changed_at=NOW, locks=(lock,))


def a_service(generation: int = 1, name: str = "web", stack: str = "shop") -> ServiceRecord:
    return ServiceRecord(stack=stack, name=name, generation=generation)


def a_release(number: int = 1, service: str = "web") -> Release:
    return Release(
        stack="shop",
        service=service,
        number=number,
        spec=ServiceSpec(name=service),
        image="shop:1",
        config_hash="0123456789abcdef",
        created_at=NOW,
    )


def a_rollout(
    id: str = "r-1", version: int = 1, phase: Phase = Phase.PROVING, service: str = "web"
) -> Rollout:
    return Rollout(
        id=id,
        kind=Kind.DEPLOY,
        stack="shop",
        service=service,
        target=PoolId(f"shop.{service}.green"),
        phase=phase,
        version=version,
    )


def an_event(message: str = "it happened", service: str = "web", rollout: str = "") -> Event:
    return Event(
        kind="test.happened", message=message, at=NOW, stack="shop", service=service, rollout=rollout
    )


class JournalSuite(Suite[Stage]):
    """What every part of the suite needs: a stage, and a way to run on it."""

    def run_one(self, scenario: Callable[[Journal], Awaitable[None]]) -> None:
        """Run a scenario for which one controller is enough."""

        async def opened(stage: Stage) -> None:
            async with stage.open() as journal:
                await scenario(journal)

        self.run(opened)


async def refusal(call: Awaitable[object]) -> str:
    """Return the code of the error that ``call`` raises, ``""`` if it raises none."""
    error = await caught(call)
    return "" if error is None else error.code


async def caught(call: Awaitable[object]) -> BluegreenError | None:
    try:
        await call
    except BluegreenError as error:
        return error
    return None
