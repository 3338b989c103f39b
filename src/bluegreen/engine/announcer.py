"""Keeps a registry in step with the routing: announces instances, publishes structure and weights.

Level-triggered: :meth:`Announcer.want` says what is to be told, and the announcer tells it as soon as the
registry takes it, the latest only. A registry that is down holds up nobody. Documents are changed by
compare-and-set: what another controller wrote meanwhile is not overwritten by what was decided before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

import structlog

from bluegreen.domain.announcement import Announcement, Listing
from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.naming import PoolId, RouteId, stack_of
from bluegreen.domain.publication import (
    BOXES,
    MARKS,
    REVISION,
    STRUCTURE,
    BoxReport,
    Mark,
    Revision,
    Share,
    Structure,
    Weights,
    announcements_of,
    structure_of,
)
from bluegreen.domain.routing import Pool, Routing
from bluegreen.engine.pictures import marks, picture, reports, share_key
from bluegreen.ports.clock import Clock
from bluegreen.ports.codec import encode
from bluegreen.ports.registry import Registry

DEADLINE = 10.0
CONFLICT = "conflict"
GONE, OUTDATED = "gone", "outdated"
LINGER = 2.0
"""Seconds for which who left is shown as draining where nobody asks for less."""

RETRY = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds until the next attempt while the registry does not take what it is told."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Told:
    """What a stack's readers were told last. ``versions`` are those of its documents, by key; ``revision`` is
    the one that the next is to exceed. Revisions up to ``found`` were there when it was looked at, ours are
    those above ``base``."""

    revision: int
    found: int
    base: int
    versions: dict[str, int]
    structure: Routing | None = None
    shares: dict[RouteId, Weights] = field(default_factory=dict)
    announced: tuple[Announcement, ...] | None = None

    def explains(self, seen: int) -> bool:
        """Whether a box may have seen this revision by what is there."""
        return seen <= self.found or self.base < seen <= self.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a registry knows what it is to know: why not (``code`` of an error), since when (UNIX s)."""

    code: str = ""
    trouble: str = ""
    since: float | None = None


class Announcer:
    def __init__(self, registry: Registry, clock: Clock, owner: str) -> None:
        self.registry = registry
        self.standing = Standing()
        self.reports: dict[str, dict[str, BoxReport]] = {}
        """What the boxes that follow reported last, by published stack and box."""
        self.marks: dict[str, dict[str, Mark | None]] = {}
        """The boxes that are to be heard of, by published stack and box."""
        self._clock = clock
        self._owner = owner
        self._wanted: Routing | None = None
        self._stacks: set[str] = set()
        self._told: dict[str, _Told] = {}
        self._pools: dict[PoolId, tuple[Pool, tuple[Announcement, ...]]] = {}
        self._lingering: set[str] = set()
        self._doubted: set[str] = set()
        """Stacks of which nothing that is there counts as told, as boxes have seen newer."""
        self._conceded: dict[RouteId, Weights] = {}
        """Weights of ours that somebody else overtook: they are not told again, only what is wanted next."""
        self._heard: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._stacks_changed = asyncio.Event()
        self._lock = asyncio.Lock()

    def revision(self, stack: str) -> int:
        """Return the revision that was published of a stack last; 0 when that is not known."""
        return self._told[stack].revision if stack in self._told else 0

    def want(self, routing: Routing) -> None:
        """Tell ``routing`` as soon as the registry takes it."""
        self._wanted = routing
        self._wake.set()

    async def publish(self, routing: Routing) -> dict[str, int]:
        """Tell ``routing`` now; return the revision of each stack that says so.

        Raises ``Temporary``: ``registry_down``, or ``conflict`` when another controller wrote since. It is
        told later all the same, except after a conflict.
        """
        self._wanted = routing
        try:
            async with asyncio.timeout(patience(routing)):
                return await self._publish(routing)
        except TimeoutError as error:
            self._wake.set()
            raise _silent(self.registry.name, patience(routing)) from error
        except BluegreenError as error:
            if error.code != CONFLICT:
                self._wake.set()
            raise

    @property
    def lingers(self) -> bool:
        """Whether somebody who left is still shown, as draining: telling the same again takes them out."""
        return bool(self._lingering)

    def lost(self, stack: str) -> dict[str, Mark | None]:
        """Return the boxes that followed ``stack`` and are not heard of now: their balancers may go on."""
        heard = self.reports.get(stack, {})
        return {box: mark for box, mark in self.marks.get(stack, {}).items() if box not in heard}

    async def forget(self, stack: str, box: str) -> None:
        """Miss a box no more. Raises what the registry raises."""
        await self.registry.report(stack, MARKS + box, "")
        self.marks.get(stack, {}).pop(box, None)
        self._tell_listeners()

    async def next_report(self) -> None:
        """Wait until something changed in the registry, such as what a box reports."""
        if self._heard is None:
            self._heard = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._heard)

    def _tell_listeners(self) -> None:
        if self._heard is not None:
            self._heard.set_result(None)
            self._heard = None

    async def run(self) -> None:
        """Tell what is wanted until cancelled; notice what a registry forgot."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.registry.supervise())
            group.create_task(self._verify_all(group))
            await self._keep_telling()

    async def _keep_telling(self) -> None:
        failures = 0
        while True:
            pause = RETRY[min(failures, len(RETRY)) - 1] if failures else LINGER if self.lingers else None
            await self._clock.wait(self._wake, pause)
            self._wake.clear()
            if self._wanted is None:
                continue
            try:
                async with asyncio.timeout(patience(self._wanted)):
                    await self._publish(self._wanted)
                failures = 0
            except (BluegreenError, TimeoutError) as error:
                failures = 0 if _code(error) == CONFLICT else failures + 1

    async def _publish(self, routing: Routing) -> dict[str, int]:
        async with self._lock:
            stacks = {stack_of(pool) for pool in routing.pools}
            try:
                for stack in sorted(stacks | self._stacks):
                    await self._publish_stack(stack, routing)
            except (BluegreenError, TimeoutError) as error:
                self._complain(error)
                raise
            self.standing = Standing()
            for gone in self._stacks - stacks:
                self._told.pop(gone, None)
            if stacks != self._stacks:
                self._stacks = stacks
                self._stacks_changed.set()
            return {stack: told.revision for stack, told in self._told.items()}

    async def _publish_stack(self, stack: str, routing: Routing) -> None:
        try:
            await self._publish_once(stack, routing)
        except BluegreenError as error:
            self._told.pop(stack, None)  # what is there is read again before the next attempt
            if error.code != CONFLICT:
                raise
            if rivals := await self._rivals(stack):
                own = structure_of(routing, stack).routes
                self._conceded |= {key: routing.routes[key].weights for key in own}
                error.evidence = (*error.evidence, ("written by", ", ".join(rivals)))
                raise
            await self._publish_once(stack, routing)  # the registry had lost it: nobody else spoke

    async def _publish_once(self, stack: str, routing: Routing) -> None:
        told = self._told.get(stack)
        if told is None:
            told = await self._look(stack)
        structure = structure_of(routing, stack)
        shares = {key: routing.routes[key].weights for key in structure.routes}
        announced = self._announcements(stack, routing.pools.values())
        leaving = _leaving(told.announced or (), announced) if structure.pools else ()
        await self._tell(stack, told, structure, shares, announced + leaving)
        self._told[stack] = told
        self._doubted.discard(stack)
        self._lingering = (self._lingering - {stack}) | ({stack} if leaving else set())

    async def _rivals(self, stack: str) -> list[str]:
        """Return the other controllers that wrote something of a stack last."""
        shown, _ = picture(await self.registry.list(stack, documents_only=True))
        written = (shown.structure, *shown.shares.values())
        return sorted({one.owner for one in written if one is not None and one.owner != self._owner})

    async def _tell(
        self,
        stack: str,
        told: _Told,
        structure: Routing,
        shares: dict[RouteId, Weights],
        announced: tuple[Announcement, ...],
    ) -> None:
        """Tell what differs, in the order in which it is to be believed: who, what, how much."""
        if announced != told.announced:
            await self.registry.announce(stack, announced)
            await self._write(stack, told, REVISION, Revision(revision=told.revision + 1, owner=self._owner))
        if structure != told.structure:
            document = Structure(revision=told.revision + 1, routing=structure, owner=self._owner)
            await self._write(stack, told, STRUCTURE, document)
        for route, weights in shares.items():
            if weights != told.shares.get(route) and weights != self._conceded.get(route):
                self._conceded.pop(route, None)
                share = Share(revision=told.revision + 1, weights=dict(weights), owner=self._owner)
                await self._write(stack, told, share_key(route, stack), share)
        told.structure, told.announced = structure, announced
        told.shares = shares

    async def _write(self, stack: str, told: _Told, key: str, document: Structure | Share | Revision) -> None:
        expected = told.versions.get(key, 0)
        told.versions[key] = await self.registry.write(stack, key, encode(document), expected)
        told.revision = document.revision

    async def _look(self, stack: str) -> _Told:
        """Return what a stack's readers are told now, by whomever.

        Where they have seen newer than is there, a backup was put back: none of it counts as told.
        """
        listing = await self.registry.list(stack, documents_only=True)
        shown, _ = picture(listing)
        seen = max((report.revision for report in reports(listing).values()), default=0)
        believed = seen <= shown.revision and stack not in self._doubted
        base = max(shown.revision, seen, int(self._clock.now() * 1000))  # newer than all, whatever is lost
        return _Told(
            revision=base,
            found=max(shown.revision, seen),
            base=base,
            versions={
                key: document.version
                for key, document in listing.documents.items()
                if not key.startswith((BOXES, MARKS))
            },
            structure=shown.structure.routing if shown.structure is not None and believed else None,
            shares={route: share.weights for route, share in shown.shares.items() if believed},
        )

    def _announcements(self, stack: str, pools: Iterable[Pool]) -> tuple[Announcement, ...]:
        """Return what is announced of a stack; of a pool that did not change the very same objects."""
        found: list[Announcement] = []
        for pool in pools:
            if stack_of(pool.id) != stack:
                continue
            known = self._pools.get(pool.id)
            if known is None or known[0] is not pool:
                known = self._pools[pool.id] = (pool, announcements_of(pool))
            found += known[1]
        return tuple(found)

    async def _verify_all(self, group: asyncio.TaskGroup) -> None:
        """Watch each published stack for documents that a registry lost."""
        watched: dict[str, asyncio.Task[None]] = {}
        while True:
            for stack in self._stacks - watched.keys():
                watched[stack] = group.create_task(self._verify(stack))
            for stack in watched.keys() - self._stacks:
                watched.pop(stack).cancel()
                self.reports.pop(stack, None)
                self.marks.pop(stack, None)
            await self._stacks_changed.wait()
            self._stacks_changed.clear()

    async def _verify(self, stack: str) -> None:
        async with aclosing(self.registry.changes(stack)) as changes:  # type: ignore[type-var]
            async for _ in changes:
                try:
                    async with asyncio.timeout(DEADLINE):
                        listing = await self.registry.list(stack, documents_only=True)
                except (BluegreenError, TimeoutError) as error:
                    self._complain(error)
                    continue
                self.reports[stack], self.marks[stack] = reports(listing), marks(listing)
                self._tell_listeners()
                with suppress(BluegreenError):
                    await self._compare(stack, listing)

    async def _compare(self, stack: str, listing: Listing) -> None:
        if self._fault(stack, listing):
            async with self._lock:  # while nothing is being told: what is missing now is lost
                fault = self._fault(stack, await self.registry.list(stack, documents_only=True))
                if fault == OUTDATED:
                    self._doubted.add(stack)
                if fault:
                    log.info("registry.told_again", stack=stack)
                    self._told.pop(stack, None)
                    self._wake.set()
        elif self.standing.code not in ("", CONFLICT):
            self._wake.set()

    def _fault(self, stack: str, listing: Listing) -> str:
        """Return what is wrong with what was told: documents are gone, or a box has seen newer though nobody
        but us wrote since we looked; empty when nothing is."""
        told, found = self._told.get(stack), listing.documents
        if told is None:
            return ""
        if any(key not in found for key in told.versions):
            return GONE
        ours = all(found[key].version == version for key, version in told.versions.items())
        explained = all(told.explains(report.revision) for report in reports(listing).values())
        return OUTDATED if ours and not explained else ""

    def _complain(self, error: Exception) -> None:
        trouble = str(error) or f"{self.registry.name} did not answer in time"
        since = self.standing.since
        if since is None:
            log.warning("registry.behind", registry=self.registry.name, trouble=trouble)
            since = self._clock.now()
        self.standing = Standing(code=_code(error), trouble=trouble, since=since)


def _leaving(told: tuple[Announcement, ...], announced: tuple[Announcement, ...]) -> tuple[Announcement, ...]:
    """Return who was announced and is not any more, as draining; who was that already is gone now.

    Whoever reads the registry gets to give them nothing new before they disappear.
    """
    names = {one.instance for one in announced}
    return tuple(
        replace(one, draining=True) for one in told if one.instance not in names and not one.draining
    )


def _code(error: Exception) -> str:
    return error.code if isinstance(error, BluegreenError) else "registry_down"


def patience(routing: Routing) -> float:
    """Return the seconds that telling all of ``routing`` may take: the first time it is all of it."""
    return DEADLINE + 0.02 * sum(len(pool.servers) for pool in routing.pools.values())


def _silent(name: str, seconds: float) -> Temporary:
    return Temporary(
        f"{name} did not take a change within {seconds:g} s",
        code="registry_down",
        hint="Traffic stays as it is. `bluegreen doctor` shows whether it can be reached.",
    )
