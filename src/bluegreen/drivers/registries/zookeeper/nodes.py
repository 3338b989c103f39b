"""Reading nodes, and keeping those that live only as long as a session.

Every change is a transaction that names the version it saw, and a node that goes over to another session is
deleted and made anew in one: nobody who looks finds it missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kazoo.exceptions import NoNodeError, RolledBackError, RuntimeInconsistency

from bluegreen.domain.errors import Temporary
from bluegreen.drivers.registries.zookeeper.faults import ANSWERS, translated, words
from bluegreen.drivers.registries.zookeeper.layout import name_of
from bluegreen.drivers.registries.zookeeper.link import AT_ONCE, Link, Question

TRIES = 5
"""How often a change is tried whose ground moved meanwhile."""

Change = Callable[[Any], None]
"""Adds one operation to a transaction of kazoo."""


@dataclass(frozen=True, slots=True)
class Node:
    """``version`` counts changes of this node, ``changed_at`` is the number of the transaction that made it
    what it is: it grows over everything that happens in the ensemble. ``owner`` is a session, 0 is nobody."""

    path: str
    data: bytes
    version: int
    changed_at: int
    owner: int


class Nodes:
    def __init__(self, link: Link) -> None:
        self.link = link

    async def children(self, what: str, paths: Sequence[str]) -> list[str]:
        """Return the paths of all children of ``paths``; of a node that is not there, none."""
        answers = await self.link.all(what, [_children(path) for path in paths])
        found = zip(paths, answers, strict=True)
        return [
            f"{path}/{name}" for path, names in found if isinstance(names, list) for name in sorted(names)
        ]

    async def read(self, what: str, paths: Sequence[str]) -> dict[str, Node]:
        """Return the nodes by path; those that are not there (any more) are left out."""
        answers = await self.link.all(what, [_get(path) for path in paths])
        return {
            path: Node(path, answer[0], answer[1].version, answer[1].mzxid, answer[1].ephemeralOwner)
            for path, answer in zip(paths, answers, strict=True)
            if not isinstance(answer, ANSWERS)
        }

    async def make_parents(self, what: str, paths: Iterable[str]) -> None:
        """Make the folders that are missing above ``paths``. They stay."""
        folders = sorted({folder for path in paths for folder in _above(path)})
        answers = await self.link.all(what, [_exists(folder) for folder in folders])
        missing = [folder for folder, stat in zip(folders, answers, strict=True) if stat is None]
        await self.link.all(what, [_create(folder) for folder in missing])

    async def hold(
        self,
        what: str,
        look: Callable[[], Awaitable[Mapping[str, Node]]],
        wanted: Mapping[str, bytes],
        removable: Callable[[Node], bool],
        *,
        others: bool = True,
    ) -> None:
        """Make ``wanted`` (content by path) this session's nodes, and remove the rest of what ``look`` finds.

        Without ``others`` what belongs to somebody else's session is left alone. Raises ``Temporary``
        (``registry_down``, ``conflict``), ``Permanent`` (``registry_refused``).
        """
        reason = ""
        for _ in range(TRIES):
            present = await look()
            known = None if others else self.link.sessions
            plan = list(_plan(wanted, present, removable, self.link.session, known))
            reason = await self._commit(what, plan)
            if not reason:
                return
            if reason == words(NoNodeError()):
                await self.make_parents(what, wanted)
        raise Temporary(
            f"somebody else changes the same nodes of ZooKeeper: {what}",
            code="conflict",
            hint="See to it that one controller announces a stack, then repeat it.",
            evidence=(("says", reason), ("tries", str(TRIES))),
        )

    async def _commit(self, what: str, plan: Sequence[Sequence[Change]]) -> str:
        """Carry out ``plan``, each of its groups whole or not at all. Return what stood against it, or ""."""
        for bunch in _bunches(plan):
            results = await self.link.one(what, _transaction(bunch))
            for result in results:
                if isinstance(result, ANSWERS):
                    return words(result)
                rolled_back = isinstance(result, (RolledBackError, RuntimeInconsistency))
                if isinstance(result, Exception) and not rolled_back:
                    raise translated(result, "", what)
        return ""


def _plan(
    wanted: Mapping[str, bytes],
    present: Mapping[str, Node],
    removable: Callable[[Node], bool],
    session: int,
    known: Collection[int] | None,
) -> Iterator[list[Change]]:
    """Yield what has to be done, by name: an instance that moves is gone here as it comes there."""
    changes: dict[str, list[Change]] = {}
    for path, node in present.items():
        ours = known is None or node.owner in known
        if path not in wanted and ours and removable(node):
            changes.setdefault(name_of(path), []).append(_gone(node))
    for path, data in wanted.items():
        node_there = present.get(path)
        steps = _steps(path, data, node_there, session, known)
        changes.setdefault(name_of(path), []).extend(steps)
    yield from (group for group in changes.values() if group)


def _steps(
    path: str, data: bytes, node: Node | None, session: int, known: Collection[int] | None
) -> list[Change]:
    if node is None:
        return [_ours(path, data)]
    if node.owner == session:
        return [] if node.data == data else [_other_content(node, data)]
    if known is not None and node.owner not in known:
        return []
    return [_gone(node), _ours(path, data)]


def _ours(path: str, data: bytes) -> Change:
    return lambda transaction: transaction.create(path, data, ephemeral=True)


def _gone(node: Node) -> Change:
    return lambda transaction: transaction.delete(node.path, node.version)


def _other_content(node: Node, data: bytes) -> Change:
    return lambda transaction: transaction.set_data(node.path, data, node.version)


def _bunches(plan: Sequence[Sequence[Change]]) -> Iterator[list[Change]]:
    bunch: list[Change] = []
    for group in plan:
        if bunch and len(bunch) + len(group) > AT_ONCE:
            yield bunch
            bunch = []
        bunch += group
    if bunch:
        yield bunch


def _transaction(changes: Sequence[Change]) -> Question:
    def ask(client: Any) -> Any:
        transaction = client.transaction()
        for change in changes:
            change(transaction)
        return transaction.commit_async()

    return ask


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(2, len(parts))]


def _children(path: str) -> Question:
    return lambda client: client.get_children_async(path)


def _get(path: str) -> Question:
    return lambda client: client.get_async(path)


def _exists(path: str) -> Question:
    return lambda client: client.exists_async(path)


def _create(path: str) -> Question:
    return lambda client: client.create_async(path)
