"""One service's loop: its rollout first, then its upkeep, then sleep until something happens.

The loop is the only one that acts on its service. People's commands reach it as requests
(:meth:`ServiceLoop.ask`) that it records between two steps; it survives every error and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import structlog

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.domain.events import Event
from bluegreen.domain.rollout import STEERING, Happened, Reason, Rollout, skips, steer
from bluegreen.engine import errand
from bluegreen.engine.draft import Draft
from bluegreen.engine.keeper import Keeper
from bluegreen.engine.ledger import Ledger, ServiceKey
from bluegreen.engine.runner import Runner
from bluegreen.ports.clock import Clock

RETRY = 1.0
PATIENCE = 1.0
"""Seconds a step may take before the service's upkeep goes on beside it."""

FROZEN = 10.0
"""Seconds between looks after the program contradicted itself: traffic is left alone meanwhile."""

log = structlog.get_logger()


_ANSWERS = frozenset({Happened.CANCELLED, Happened.ROLLED_BACK, *STEERING})
"""What is the whole of what a person asked for; others only make room for what follows."""


@dataclass(slots=True)
class Request:
    """A person's wish for the rollout that runs: abort it, go back, end its bake, hold it.

    ``seen`` is what the person saw of it, where the wish is for that one and no other.
    """

    happened: Happened
    reason: Reason | None
    done: asyncio.Future[Rollout]
    seen: Rollout | None = None
    errand: str = ""


class ServiceLoop:
    def __init__(
        self,
        key: ServiceKey,
        ledger: Ledger,
        runner: Runner,
        keeper: Keeper,
        clock: Clock,
        sighted: asyncio.Event,
    ) -> None:
        """``sighted`` is set once what runs is known: an inventory that is still empty is no fact."""
        self.key = key
        self._sighted = sighted
        self._ledger = ledger
        self._runner = runner
        self._keeper = keeper
        self._clock = clock
        self._wake = asyncio.Event()
        self._stir = asyncio.Event()
        self._interrupt = asyncio.Event()
        self._requests: list[Request] = []
        self._draft: Draft | None = None

    def wake(self) -> None:
        self._wake.set()
        self._stir.set()

    @property
    def rollout(self) -> Rollout | None:
        """The rollout that is begun but perhaps not yet in the journal."""
        return self._draft.rollout if self._draft is not None else None

    @property
    def _current(self) -> Rollout | None:
        return self._draft.rollout if self._draft else self._ledger.active.get(self.key)

    def begin(self, draft: Draft) -> None:
        """Take over a rollout whose beginning is not yet in the journal."""
        self._draft = draft
        self.wake()

    def withdraw(self, draft: Draft) -> None:
        """Give up a rollout whose beginning could not be recorded in time."""
        draft.withdrawn = True
        if self._draft is draft:
            self._draft = None
        self._ledger.begun.pop(self.key, None)

    async def ask(
        self, happened: Happened, reason: Reason | None = None, seen: Rollout | None = None
    ) -> Rollout:
        """Have ``happened`` recorded; return the rollout then. Raises ``UserError`` if it is too late,
        be it that another rollout than ``seen`` is under way, or that promoting would mean another thing.
        """
        done: asyncio.Future[Rollout] = asyncio.get_running_loop().create_future()
        asked = errand.current() if happened in _ANSWERS else ""
        self._requests.append(Request(happened, reason, done, seen, asked))
        self._interrupt.set()
        self.wake()
        return await done

    async def run(self) -> None:
        await self._sighted.wait()
        while True:
            self._wake.clear()
            pause = await self._look()
            await self._clock.wait(self._wake, pause)

    async def _look(self) -> float | None:
        """Look once; whatever is logged meanwhile, by whomever, tells of which service and rollout it is."""
        rollout = self._current
        named = {} if rollout is None else {"rollout": rollout.id}
        with structlog.contextvars.bound_contextvars(stack=self.key[0], service=self.key[1], **named):
            return await self._look_closer()

    async def _look_closer(self) -> float | None:
        try:
            return await self._advance()
        except Temporary as error:
            log.warning("loop.retry", error=error.message)
            return RETRY
        except (BluegreenError, TimeoutError) as error:
            await self._alarm(error)
            return FROZEN
        except Exception as error:
            log.exception("loop.bug")
            await self._alarm(error)
            return FROZEN

    async def _advance(self) -> float | None:
        pauses: list[float | None] = []
        rollout = self._current
        if rollout is not None:
            pauses.append(await self._roll_and_tend(self._draft or Draft(rollout)))
        else:
            self._refuse_requests()
        pauses.append(await self._tend())
        return min((p for p in pauses if p is not None), default=None)

    async def _tend(self) -> float | None:
        record = self._ledger.services.get(self.key)
        if record is None:
            return None
        return await self._keeper.tend(record, self._ledger.active.get(self.key))

    async def _roll_and_tend(self, draft: Draft) -> float | None:
        """Roll; while a step takes long (a pull, a stop with its grace), tend the colors it leaves alone."""
        rolling = asyncio.ensure_future(self._roll(draft))
        rolling.add_done_callback(lambda _: self._stir.set())
        try:
            await asyncio.wait({rolling}, timeout=PATIENCE)
            while not rolling.done():
                self._stir.clear()
                with contextlib.suppress(BluegreenError, TimeoutError):  # met again at the next look
                    await self._tend()
                await self._stir.wait()
            return await rolling
        finally:
            if not rolling.done():
                rolling.cancel()
                await asyncio.wait({rolling})

    async def _roll(self, draft: Draft) -> float | None:
        try:
            while True:
                self._take_requests(draft)
                pause = await self._runner.advance(draft, self._interrupt)
                if not self._requests or draft.rollout.final:
                    return pause
        except (BluegreenError, TimeoutError) as error:
            draft.trouble = str(error)
            raise
        finally:
            self._draft = draft if draft.events and not draft.withdrawn else None

    def _take_requests(self, draft: Draft) -> None:
        self._interrupt.clear()
        requests, self._requests = self._requests, []
        for request in requests:
            if why := self._against(draft.rollout, request):
                _reject(request, why)
                continue
            if not _is_so(draft.rollout, request.happened, self._clock.now()):
                self._runner.record(draft, request.happened, request.reason)
                draft.events[-1] = errand.marked(draft.events[-1], request.errand)
            elif not draft.events:
                _answer(request, draft.rollout)
                continue
            draft.awaited.append(request.done)  # told only once it is durable

    def _against(self, rollout: Rollout, request: Request) -> str:
        """Return what speaks against a request now; empty when it may be recorded."""
        seen = request.seen
        if seen is not None and seen.id != rollout.id:
            return f"it has ended, and rollout {rollout.id} began"
        moved_on = seen is not None and skips(seen.phase) != skips(rollout.phase)
        if moved_on and request.happened is Happened.PROMOTED:
            return f"all traffic has moved meanwhile, and it is {rollout.phase}"
        return self._runner.against(rollout, request.happened)

    def _refuse_requests(self) -> None:
        self._interrupt.clear()
        requests, self._requests = self._requests, []
        for request in requests:
            _reject(request, "no rollout is running")

    async def _alarm(self, error: Exception) -> None:
        event = Event(
            kind="loop.alarm",
            message=f"{type(error).__name__}: {error or 'no answer in time'}; nothing is changed",
            at=self._clock.now(),
            stack=self.key[0],
            service=self.key[1],
            level="error",
        )
        try:
            await self._ledger.commit((), (event,))
        except (BluegreenError, TimeoutError) as failure:
            log.error("journal.unwritable", error=str(failure))


def _is_so(rollout: Rollout, happened: Happened, now: float) -> bool:
    """Return whether a person asks for what is the case already: paused once more, resumed once more."""
    return happened in STEERING and steer(rollout, happened, now) == rollout


def _answer(request: Request, rollout: Rollout) -> None:
    if not request.done.done():
        request.done.set_result(rollout)


def _reject(request: Request, why: str) -> None:
    if not request.done.done():
        request.done.set_exception(
            UserError(
                f"cannot do that now: {why}",
                code="too_late",
                hint="`bluegreen status` shows what is live; `bluegreen history` how it came about.",
            )
        )
