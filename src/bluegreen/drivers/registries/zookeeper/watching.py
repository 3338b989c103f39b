"""Knowing that something of a stack may have changed.

A watch of ZooKeeper fires once, and is gone with its connection. So each is known by its path: one that fired
is set again before the change is told, and all are set again after every new connection. Cost follows what
changed: of a thousand nodes one that changes is one question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.registries.zookeeper.faults import ANSWERS
from bluegreen.drivers.registries.zookeeper.layout import Layout
from bluegreen.drivers.registries.zookeeper.link import Link

WHAT = "watching"
Callback = Callable[[object], None]


class Watching:
    """Sets ``heard`` when a watch fires."""

    def __init__(self, link: Link, layout: Layout, heard: asyncio.Event) -> None:
        self._link = link
        self._layout = layout
        self._heard = heard
        self._epoch = 0
        self._set: set[str] = set()
        self._children: dict[str, tuple[str, ...]] = {}
        self._callbacks: dict[str, Callback] = {}

    def forget(self) -> None:
        """Take no watch for granted: :meth:`arm` sets all of them again."""
        self._set.clear()

    async def arm(self) -> bool:
        """Set every watch that is not set. False when ZooKeeper did not let us; does not wait for it."""
        if not self._link.online:
            return False
        if self._epoch != self._link.epoch:
            self._epoch = self._link.epoch
            self.forget()
        try:
            roots = (self._layout.documents, self._layout.services)
            await self._watch_children(roots)
            services = self._children[self._layout.services]
            await self._watch_children(services)
            leaves = [leaf for path in (roots[0], *services) for leaf in self._children.get(path, ())]
            await self._watch_contents(leaves)
        except BluegreenError:
            self.forget()
            return False
        self._drop_all_but({*roots, *services, *leaves})
        return self._epoch == self._link.epoch

    async def _watch_children(self, paths: Sequence[str]) -> None:
        unset = self._begin(paths)
        answers = await self._link.all(WHAT, [_ask("get_children_async", p, self._told(p)) for p in unset])
        absent: list[str] = []
        for path, answer in zip(unset, answers, strict=True):
            gone = isinstance(answer, ANSWERS)
            self._children[path] = () if gone else tuple(f"{path}/{name}" for name in answer)
            if gone:
                absent.append(path)
        stats = await self._link.all(WHAT, [_ask("exists_async", p, self._told(p)) for p in absent])
        if any(stat is not None for stat in stats):  # it came meanwhile: its children are to be watched
            self._set.difference_update(absent)
            self._heard.set()

    async def _watch_contents(self, paths: Sequence[str]) -> None:
        unset = self._begin(paths)
        answers = await self._link.all(WHAT, [_ask("get_async", p, self._told(p)) for p in unset])
        self._set.difference_update(
            path for path, answer in zip(unset, answers, strict=True) if isinstance(answer, ANSWERS)
        )

    def _begin(self, paths: Sequence[str]) -> list[str]:
        """Return those that are unset, and take them for set: a watch may fire before its answer is read."""
        unset = [path for path in paths if path not in self._set]
        self._set.update(unset)
        return unset

    def _told(self, path: str) -> Callback:
        """Return the one function that kazoo calls for ``path``: it keeps equal ones once."""
        if path not in self._callbacks:
            self._callbacks[path] = lambda _event: self._link.call_soon(self._fired, path)
        return self._callbacks[path]

    def _fired(self, path: str) -> None:
        self._set.discard(path)
        self._heard.set()

    def _drop_all_but(self, paths: set[str]) -> None:
        self._set &= paths
        for known in (self._children, self._callbacks):
            for path in known.keys() - paths:
                del known[path]


def _ask(method: str, path: str, callback: Callback) -> Callable[[Any], Any]:
    return lambda client: getattr(client, method)(path, watch=callback)
