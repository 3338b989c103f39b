"""The balancers of other boxes, with or without one on this box, as one :class:`Balancer`.

What they are to carry is published in a registry (:mod:`bluegreen.engine.announcer`); they follow it
(:mod:`bluegreen.engine.follower`) and report what is true there. So the rollout machine sees many balancers
as one: a switch is done when the last of them carries it, and an old color ends when nobody has a request in
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing
from dataclasses import replace

import structlog

from bluegreen.domain.boxes import merged, view
from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.naming import PoolId, stack_of
from bluegreen.domain.publication import BoxReport
from bluegreen.domain.routing import BalancerEvent, BalancerFacts, Routing, ServerHealth
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.pictures import reports
from bluegreen.ports.balancer import Balancer
from bluegreen.ports.clock import Clock

FOLLOW_DEADLINE = 3.0
"""Seconds for which a change waits for the other boxes: then it goes on, and the facts tell who lags."""

log = structlog.get_logger()

Unread = asyncio.Queue[BalancerEvent | BluegreenError]
Health = Mapping[tuple[PoolId, str], tuple[ServerHealth, str]]


class Boxes:
    def __init__(self, announcer: Announcer, clock: Clock, inner: Balancer | None) -> None:
        self.name = "boxes" if inner is None else inner.name
        self.checks = True if inner is None else inner.checks
        self._announcer = announcer
        self._clock = clock
        self._inner = inner

    async def apply(self, routing: Routing) -> None:
        """Make it true here, then elsewhere. Without a balancer here, a registry that is down is an error;
        with one, the registry is told as soon as it answers again."""
        if self._inner is not None:
            await self._inner.apply(routing)
            if self._announcer.standing.since is not None:
                self._announcer.want(routing)
                return
        try:
            revisions = await self._announcer.publish(routing)
        except BluegreenError as error:
            if self._inner is None or error.code == "conflict":
                raise
            return
        await self._followed(revisions)
        if self._announcer.lingers:  # who left has been given nothing new: out with them
            await self._announcer.publish(routing)

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        """Raises ``Temporary``: ``registry_down`` when it is not known what other boxes carry, ``no_box``
        when nobody carries anything."""
        own = [] if self._inner is None else [await self._inner.observe(pools)]
        known = await self._known(pools)
        if known and self._announcer.standing.code == "registry_down":
            raise Temporary(
                f"what {', '.join(sorted(known))} carry is not known: {self._announcer.standing.trouble}",
                code="registry_down",
                hint="Traffic stays as it is. `bluegreen doctor` shows whether the registry can be reached.",
            )
        views = own + [view(by_stack.values()) for by_stack in known.values()]
        if not views:
            raise Temporary(
                "no balancer follows",
                code="no_box",
                hint="Start one: `bluegreen balancer --from REGISTRY --stack STACK`.",
            )
        return replace(merged(views, pools), unheard=self._unheard(pools))

    def _unheard(self, pools: Collection[PoolId] | None) -> tuple[str, ...]:
        """Return who may carry something else than is known, in words."""
        stacks = set(self._announcer.reports) if pools is None else {stack_of(pool) for pool in pools}
        told: list[str] = []
        for stack in sorted(stacks):
            if stack not in self._announcer.reports:
                told.append(f"what balancers on other boxes carry of {stack} is not known yet")
            told += [_lost(box) for box in sorted(self._announcer.lost(stack))]
        return tuple(dict.fromkeys(told))

    async def supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._inner is not None:
                group.create_task(self._inner.supervise())
            await self._announcer.run()

    async def events(self) -> AsyncIterator[BalancerEvent]:
        unread: Unread = asyncio.Queue()
        telling = [asyncio.ensure_future(self._tell_of_boxes(unread))]
        if self._inner is not None:
            telling.append(asyncio.ensure_future(_pass_on(self._inner, unread)))
        try:
            yield BalancerEvent()
            while True:
                told = await unread.get()
                if isinstance(told, BluegreenError):
                    raise told
                yield told
        finally:
            for task in telling:
                task.cancel()
            await asyncio.gather(*telling, return_exceptions=True)

    async def cut(self, pool: PoolId) -> None:
        """Cut what is open here. Other boxes are not told: their connections end with the instance."""
        if self._inner is not None:
            await self._inner.cut(pool)

    async def stop(self) -> None:
        """End the balancer of this box; the others have been told by ``apply`` what is no more."""
        if self._inner is not None:
            await self._inner.stop()

    async def _known(self, pools: Collection[PoolId] | None) -> dict[str, dict[str, BoxReport]]:
        """Return what each box reports, by box and stack; of stacks not yet watched as it stands there."""
        watched = self._announcer.reports
        asked = set(watched) if pools is None else {stack_of(pool) for pool in pools}
        found: dict[str, dict[str, BoxReport]] = {}
        for stack in asked:
            told = watched.get(stack, {})
            if stack not in watched and self._inner is None:
                told = reports(await self._announcer.registry.list(stack, documents_only=True))
            for box, report in told.items():
                found.setdefault(box, {})[stack] = report
        return found

    async def _followed(self, revisions: Mapping[str, int]) -> None:
        """Wait until every box that reports has made true what was published, for a while."""
        try:
            async with asyncio.timeout(FOLLOW_DEADLINE):
                while behind := self._behind(revisions):
                    await self._announcer.next_report()
        except TimeoutError:
            log.warning("boxes.behind", boxes=sorted(behind))

    def _behind(self, revisions: Mapping[str, int]) -> set[str]:
        return {
            box
            for stack, revision in revisions.items()
            for box, report in self._announcer.reports.get(stack, {}).items()
            if report.revision < revision
        }

    async def _tell_of_boxes(self, unread: Unread) -> None:
        """Turn what changes in the boxes' reports into events."""
        before: Health = {}
        while True:
            seen: dict[tuple[PoolId, str], tuple[ServerHealth, str]] = {}
            known = await self._known(None)
            for facts in (view(by_stack.values()) for by_stack in known.values()):
                for pool in facts.pools.values():
                    for server in pool.servers:
                        key = (pool.id, server.name)
                        if key not in seen or server.health is ServerHealth.DOWN:
                            seen[key] = (server.health, server.last_check)
            now = self._clock.now()
            for (pool_id, name), (health, why) in seen.items():
                if before.get((pool_id, name), (ServerHealth.UP, ""))[0] is not health:
                    await unread.put(BalancerEvent(pool=pool_id, server=name, health=health, why=why, at=now))
            before = seen
            await self._announcer.next_report()


def _lost(box: str) -> str:
    return (
        f"box {box} is not heard of, and its balancer may still lead users here: "
        f"start `bluegreen balancer` there, or, if it is gone for good, `bluegreen box forget {box}`"
    )


async def _pass_on(balancer: Balancer, unread: Unread) -> None:
    try:
        async with aclosing(balancer.events()) as events:  # type: ignore[type-var]
            async for event in events:
                unread.put_nowait(event)
    except BluegreenError as error:
        unread.put_nowait(error)
