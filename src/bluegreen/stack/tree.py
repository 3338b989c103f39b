"""A stack file as a tree that remembers where each key and value stood.

Scalars stay text: what ``no``, ``22:22`` or ``1.10`` means is decided by the key that expects them,
never by YAML 1.1's guesses. Built by :mod:`reading`, changed by :mod:`interpolation` and
:mod:`merging`, read by :mod:`validation`. Nodes are immutable and may be shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bluegreen.stack.problems import Problem, Severity


@dataclass(frozen=True, slots=True)
class Mark:
    """A position: file as the user named it, line and column counted from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text; ``null`` when nothing, ``~`` or ``null`` was written without quotes."""

    text: str
    mark: Mark
    null: bool = False
    tag: str = ""


@dataclass(frozen=True, slots=True)
class ListNode:
    items: tuple[Node, ...]
    mark: Mark
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a map and the position of its key."""

    key: Mark
    value: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    entries: Mapping[str, Entry]
    mark: Mark
    tag: str = ""

    def get(self, name: str) -> Node | None:
        entry = self.entries.get(name)
        return None if entry is None else entry.value


Node = Scalar | ListNode | MapNode
Data = str | None | list["Data"] | dict[str, "Data"]
PathParts = tuple[str | int, ...]


def kind(node: Node) -> str:
    """Return what a person would call the node."""
    if isinstance(node, Scalar):
        return "nothing" if node.null else "text"
    return "a list" if isinstance(node, ListNode) else "a map"


def plain(node: Node) -> Data:
    """Return the tree as plain data: texts, ``None``, lists and dicts."""
    if isinstance(node, Scalar):
        return None if node.null else node.text
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {name: plain(entry.value) for name, entry in node.entries.items()}


def map_scalars(node: Node, change: Callable[[Scalar], Scalar]) -> Node:
    """Return the tree with every value (not key) passed through ``change``."""
    if isinstance(node, Scalar):
        return change(node)
    if isinstance(node, ListNode):
        return replace(node, items=tuple(map_scalars(item, change) for item in node.items))
    entries = {name: Entry(e.key, map_scalars(e.value, change)) for name, e in node.entries.items()}
    return replace(node, entries=entries)


def _step(node: Node, part: str | int) -> tuple[Mark, Node] | None:
    if part == 0 and not isinstance(node, ListNode):
        return node.mark, node  # a single value where a list is allowed too
    if isinstance(node, MapNode):
        entry = node.entries.get(str(part))
        return None if entry is None else (entry.key, entry.value)
    if isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
        item = node.items[part]
        return item.mark, item
    return None


def without(node: Node, path: PathParts) -> Node:
    """Return the tree without the entry or item at ``path``; a path that leads nowhere changes nothing."""
    if not path:
        return node
    part, rest = path[0], path[1:]
    if isinstance(node, ListNode) and isinstance(part, int):
        inner = [without(item, rest) if rest and i == part else item for i, item in enumerate(node.items)]
        kept = inner if rest else [item for i, item in enumerate(inner) if i != part]
        return replace(node, items=tuple(kept))
    if isinstance(node, MapNode) and str(part) in node.entries:
        entry = node.entries[str(part)]
        others = {name: e for name, e in node.entries.items() if rest or name != str(part)}
        changed = {str(part): Entry(entry.key, without(entry.value, rest))} if rest else {}
        return replace(node, entries={**others, **changed})
    return without(node, rest) if part == 0 and rest else node


def find(root: Node, path: PathParts) -> tuple[Mark, Mark, PathParts]:
    """Walk as far along ``path`` as the tree goes.

    Returns the position of the last key, that of its value, and the part of the path that exists.
    """
    key, node, seen = root.mark, root, 0
    for part in path:
        step = _step(node, part)
        if step is None:
            break
        (key, node), seen = step, seen + 1
    return key, node.mark, path[:seen]


@dataclass(frozen=True, slots=True)
class Report:
    """Collects problems about one tree; ``prefix`` is where the caller stands in it."""

    root: Node
    found: list[Problem] = field(default_factory=list)
    prefix: PathParts = ()

    def under(self, *parts: str | int) -> Report:
        return replace(self, prefix=(*self.prefix, *parts))

    def error(self, code: str, message: str, *path: str | int, hint: str = "", key: bool = False) -> None:
        self._add(Severity.ERROR, code, message, path, hint, key)

    def warn(self, code: str, message: str, *path: str | int, hint: str = "", key: bool = False) -> None:
        self._add(Severity.WARNING, code, message, path, hint, key)

    def info(self, code: str, message: str, *path: str | int, hint: str = "", key: bool = False) -> None:
        self._add(Severity.INFO, code, message, path, hint, key)

    def has_errors(self, *path: str | int) -> bool:
        """Tell whether an error was reported at or below ``path``."""
        name = ".".join(str(part) for part in (*self.prefix, *path))
        return any(
            problem.severity is Severity.ERROR and f"{problem.path}.".startswith(f"{name}.")
            for problem in self.found
        )

    def mark(self, *path: str | int) -> Mark:
        return find(self.root, (*self.prefix, *path))[1]

    def _add(
        self, severity: Severity, code: str, message: str, path: PathParts, hint: str, key: bool
    ) -> None:
        full = (*self.prefix, *path)
        key_mark, value_mark, _ = find(self.root, full)
        mark = key_mark if key else value_mark
        name = ".".join(str(part) for part in full)
        self.found.append(Problem(severity, mark.file, mark.line, mark.column, name, message, hint, code))
