"""Discovery → balancer: carries on this box what a controller elsewhere publishes. No controller, no Docker.

One loop: something changed → list → believe or not (:mod:`bluegreen.domain.last_good`) → apply → keep a copy
on disk → report back. Changes that come faster than :data:`PACE` are taken together; none waits longer. When
the registry is gone the last good stays, and so does the balancer's checking of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from bluegreen.domain.announcement import Listing
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.last_good import Belief, believe
from bluegreen.domain.naming import PoolId, RouteId, stack_of
from bluegreen.domain.publication import BOXES, MARKS, REVISION, BoxReport, Mark, Picture, assembled
from bluegreen.domain.routing import BalancerFacts, Route, Routing
from bluegreen.engine.pictures import picture
from bluegreen.ports.balancer import Balancer
from bluegreen.ports.clock import Clock
from bluegreen.ports.codec import UndecodableError, decode, encode
from bluegreen.ports.keepsake import Keepsake
from bluegreen.ports.registry import Registry

PACE = 0.05
"""Seconds between two looks at a registry that changes all the time."""

LOOK_EVERY = 5.0
"""Seconds until the next look where nothing was told, or the last one failed."""

WHOLE_EVERY = 1.0
"""Seconds, at least, between two looks at all announcements while the controller tells of no new ones."""

KEEP_EVERY = 1.0
"""Seconds between two copies on disk where only instances came and went."""

COUNT_EVERY = 10.0
"""Seconds between two reports of which only counters differ."""

DEADLINE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is on disk: by stack what was acted on last."""

    pictures: Mapping[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing worth telling whoever watches: ``kind`` is stable, ``message`` for people."""

    kind: str
    stack: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why what is acted on of a stack may be old, and since when (UNIX seconds)."""

    words: str
    since: float


class Follower:
    """``adjust`` fits a routing to this box: its certificates, its ports."""

    def __init__(
        self,
        registry: Registry,
        balancer: Balancer,
        keepsake: Keepsake,
        clock: Clock,
        *,
        box: str,
        stacks: Iterable[str],
        adjust: Callable[[Routing], Routing] = lambda routing: routing,
        tell: Callable[[News], None] = lambda news: None,
    ) -> None:
        self.reports: dict[str, BoxReport] = {}
        self._registry = registry
        self._balancer = balancer
        self._keepsake = keepsake
        self._clock = clock
        self._box = box
        self._stacks = tuple(stacks)
        self._adjust = adjust
        self._tell = tell
        self._beliefs = {stack: Belief() for stack in self._stacks}
        self._applied: dict[str, int] = dict.fromkeys(self._stacks, 0)
        self._refused = ""
        self._doubts: dict[str, _Doubt] = {}
        self._dirty: set[str] = set()
        self._seen: dict[str, Listing] = {}
        self._whole_routing = Routing()
        self._unreported: set[str] = set(self._stacks)
        self._unmarked: set[str] = set(self._stacks)
        self._changed = asyncio.Event()
        self._good = ""
        self._kept_routes: Mapping[RouteId, Route] = {}
        self._wake = asyncio.Event()
        self._reporting = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled. Cancelling leaves the balancer running as it is."""
        await self._begin_with_what_was_good()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._balancer.supervise())
            group.create_task(self._registry.supervise())
            group.create_task(self._report())
            group.create_task(self._keep_instances())
            group.create_task(self._watch_balancer())
            for stack in self._stacks:
                group.create_task(self._watch(stack))
                group.create_task(self._see_all(stack))
            await self._follow()

    async def _begin_with_what_was_good(self) -> None:
        text = await self._keepsake.load()
        if text is None:
            return
        try:
            pictures = decode(Kept, text).pictures
        except UndecodableError as error:
            self._say("copy.unreadable", "", f"the copy of what was last good cannot be read: {error}")
            return
        for stack in self._stacks:
            self._beliefs[stack] = Belief(picture=pictures.get(stack, Picture()))
        if any(belief.picture.structure is not None for belief in self._beliefs.values()):
            self._good = text
            await self._apply()

    async def _watch(self, stack: str) -> None:
        async with aclosing(self._registry.changes(stack)) as changes:  # type: ignore[type-var]
            async for _ in changes:
                self._dirty.add(stack)
                self._wake.set()

    async def _watch_balancer(self) -> None:
        async with aclosing(self._balancer.events()) as events:  # type: ignore[type-var]
            async for event in events:
                self._unreported |= {stack_of(event.pool)} if event.pool else set(self._stacks)
                self._reporting.set()

    async def _follow(self) -> None:
        while True:
            if not await self._clock.wait(self._wake, LOOK_EVERY):
                self._dirty |= set(self._stacks)
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            before = {stack: self._beliefs[stack].picture for stack in dirty}
            await asyncio.gather(*(self._look(stack) for stack in dirty))
            behind = any(self._applied[s] < b.picture.revision for s, b in self._beliefs.items())
            if behind or any(self._beliefs[stack].picture != before[stack] for stack in dirty):
                await self._apply()
            self._unreported |= dirty
            self._reporting.set()
            await self._clock.wait(asyncio.Event(), PACE)

    async def _look(self, stack: str) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                listing = await self._listed(stack)
        except (BluegreenError, TimeoutError) as error:
            words = error.message if isinstance(error, BluegreenError) else "it did not answer in time"
            self._doubt(stack, f"{self._registry.name}: {words}")
            self._seen.pop(stack, None)
            return
        self._take(stack, listing)

    async def _listed(self, stack: str) -> Listing:
        """Return what the registry says; of announcements what it said last, where nothing new was told."""
        before = self._seen.get(stack)
        if before is not None:
            listing = await self._registry.list(stack, documents_only=True)
            if listing.documents.get(REVISION) == before.documents.get(REVISION):
                return replace(self._seen.get(stack, before), documents=listing.documents)
        self._seen[stack] = await self._registry.list(stack)
        return self._seen[stack]

    async def _see_all(self, stack: str) -> None:
        """Look at all announcements now and then: they vanish, or fail the registry's check, unasked."""
        pause = WHOLE_EVERY
        while True:
            await self._clock.wait(asyncio.Event(), pause)
            began = self._clock.now()
            try:
                async with asyncio.timeout(DEADLINE):
                    listing = await self._registry.list(stack)
            except (BluegreenError, TimeoutError):
                continue  # told where it is met by those who wait for it
            pause = max(WHOLE_EVERY, 10 * (self._clock.now() - began))
            before = self._seen.get(stack)
            if before is not None and (
                before.announcements != listing.announcements or before.unwell != listing.unwell
            ):
                self._seen[stack] = listing
                self._dirty.add(stack)
                self._wake.set()

    def _take(self, stack: str, listing: Listing) -> None:
        if MARKS + self._box not in listing.documents:
            self._unmarked.add(stack)
        said, unreadable = picture(listing)
        belief = believe(self._beliefs[stack], said, self._clock.now())
        self._beliefs[stack] = belief
        doubts = (*unreadable, *belief.doubts)
        self._doubt(stack, "; ".join(doubts[:3]) + (" …" if len(doubts) > 3 else ""))

    def _doubt(self, stack: str, words: str) -> None:
        """Note why what is acted on may be old; empty words: it is what the registry says."""
        before = self._doubts.pop(stack, None)
        if words:
            since = self._clock.now() if before is None else before.since
            self._doubts[stack] = _Doubt(words, since)
            if before is None or words != before.words:
                self._say("registry.doubted", stack, f"{words}: what was last good goes on being served")
        elif before is not None:
            lasted = self._clock.now() - before.since
            self._say("registry.believed", stack, f"believed again, after {lasted:.0f} s")

    async def _apply(self) -> None:
        routing = self._adjust(self._whole())
        revisions = {stack: belief.picture.revision for stack, belief in self._beliefs.items()}
        moves = routing.routes != self._kept_routes
        copy = self._copy() if moves else ""
        if moves:  # first: who is started again while the registry is down must not lead traffic back
            await self._keep(copy)
        try:
            await self._balancer.apply(routing)
        except BluegreenError as error:
            if moves and self._good:
                await self._keep(self._good)
            if error.message != self._refused:
                self._say("box.refused", "", f"{error.message}: it goes on as it was")
            self._refused = error.message
            return
        if moves:
            self._good, self._kept_routes = copy, routing.routes
        self._refused = ""
        for stack, revision in revisions.items():
            if revision != self._applied[stack]:
                self._applied[stack] = revision
                self._say("followed", stack, _summary(self._beliefs[stack].picture))
        self._changed.set()

    def _whole(self) -> Routing:
        """Return the routing of all stacks; of two that want one port, the first named has it.

        Pools that did not change are the very objects of the last one: so a driver finds what did.
        """
        whole, before = Routing(), self._whole_routing.pools
        for belief in self._beliefs.values():
            part = assembled(belief.picture, without_unwell=not self._balancer.checks)
            same = {k: before[k] if before.get(k) == pool else pool for k, pool in part.pools.items()}
            whole = Routing(
                listeners={**part.listeners, **whole.listeners},
                routes={**whole.routes, **part.routes},
                pools={**whole.pools, **same},
                settings=replace(whole.settings, maxconn=max(whole.settings.maxconn, part.settings.maxconn)),
            )
        self._whole_routing = whole
        return whole

    async def _keep_instances(self) -> None:
        """Keep a copy of instances that came and went, not more often than it is worth."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not self._refused and (copy := self._copy()) != self._good:
                await self._keep(copy)
                self._good = copy
            await self._clock.wait(asyncio.Event(), KEEP_EVERY)

    def _copy(self) -> str:
        pictures = {s: b.picture for s, b in self._beliefs.items() if b.picture.structure is not None}
        return encode(Kept(pictures=pictures))

    async def _keep(self, copy: str) -> None:
        try:
            await self._keepsake.keep(copy)
        except BluegreenError as error:
            self._say("copy.unwritable", "", error.message)

    async def _report(self) -> None:
        """Tell the controller what is true here: at once what matters to a rollout, counters now and then."""
        while True:
            timely = await self._clock.wait(self._reporting, COUNT_EVERY)
            self._reporting.clear()
            stacks = self._unreported if timely else set(self._stacks)
            self._unreported = set()
            applied = dict(self._applied)  # before the look, which may show more but never less
            facts = await self._facts()
            for stack in sorted(stacks & set(self._stacks)):
                report = self._reported(stack, applied[stack], facts)
                if not timely or _essence(report) != _essence(self.reports.get(stack)):
                    await self._send(stack, report)
            if any(_draining(report) for report in self.reports.values()):
                self._unreported |= set(self._stacks)
                self._reporting.set()
            await self._clock.wait(asyncio.Event(), PACE)

    async def _facts(self) -> BalancerFacts:
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._balancer.observe()
        except (BluegreenError, TimeoutError):
            return BalancerFacts()

    def _reported(self, stack: str, revision: int, facts: BalancerFacts) -> BoxReport:
        doubt = self._doubts.get(stack)
        trouble = [words for words in ("" if doubt is None else doubt.words, self._refused) if words]
        return BoxReport(
            box=self._box,
            balancer=self._balancer.name,
            revision=revision,
            at=self._clock.now(),
            shares={k: w for k, w in facts.weights.items() if k.startswith(f"{stack}.")},
            pools={k: p for k, p in facts.pools.items() if stack_of(k) == stack},
            stale_since=None if doubt is None else doubt.since,
            trouble=tuple(trouble),
        )

    async def _send(self, stack: str, report: BoxReport) -> None:
        self.reports[stack] = report
        try:
            async with asyncio.timeout(DEADLINE):
                if stack in self._unmarked:  # first: who was heard of once is to be missed
                    mark = Mark(box=self._box, balancer=self._balancer.name, at=report.at)
                    await self._registry.write(stack, MARKS + self._box, encode(mark), None)
                    self._unmarked.discard(stack)
                await self._registry.report(stack, BOXES + self._box, encode(report))
        except (BluegreenError, TimeoutError):
            self._unreported.add(stack)  # with the next look; that the registry is silent is told there

    def _say(self, kind: str, stack: str, message: str) -> None:
        self._tell(News(kind=kind, stack=stack, message=message, at=self._clock.now()))


def _essence(report: BoxReport | None) -> object:
    """Return what of a report a rollout may wait for."""
    if report is None:
        return None
    idle = _idle(report)
    pools = {
        key: (
            [(s.name, s.host, s.port, s.admin, s.health) for s in pool.servers],
            pool.in_flight if key in idle else None,
        )
        for key, pool in report.pools.items()
    }
    return report.revision, report.shares, pools, report.stale_since, report.trouble


def _idle(report: BoxReport) -> set[PoolId]:
    """Return the pools without a share of any route: their requests in flight can only become fewer."""
    live = {pool for weights in report.shares.values() for pool, weight in weights.items() if weight > 0}
    return {key for key in report.pools if key not in live}


def _draining(report: BoxReport) -> bool:
    return any(report.pools[key].in_flight for key in _idle(report))


def _summary(shown: Picture) -> str:
    if shown.structure is None or not shown.structure.routing.routes:
        return f"revision {shown.revision}: nothing to carry"
    told = []
    for route, share in sorted(shown.shares.items()):
        parts = ", ".join(f"{pool} {weight} %" for pool, weight in sorted(share.weights.items()) if weight)
        told.append(f"{route} → {parts or 'nobody'}")
    return f"revision {shown.revision}: {'; '.join(told)}; {len(shown.members)} instances"
