"""How several stack files become one tree, before anything is validated.

Docker Cloud: a later file replaces a service as a whole (that is what its own client did).
Compose: maps merge, lists append what is new, ``command``, ``entrypoint`` and a health check's
``test`` replace; ``!reset`` removes and ``!override`` replaces. ``K=V`` lists are turned into maps
first, so that both spellings merge. Called by :mod:`layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bluegreen.stack.tree import Entry, ListNode, MapNode, Node, Scalar, plain

_ASSIGNMENTS = frozenset({"environment", "labels", "sysctls", "annotations"})
_NAME_LISTS = frozenset({"depends_on", "networks"})
_REPLACED = frozenset({"command", "entrypoint", "test", "x-bluegreen"})


def replace_services(base: MapNode, over: MapNode) -> MapNode:
    """Return Docker Cloud's merge: top-level entries of ``over`` win as a whole."""
    return replace(base, entries={**base.entries, **over.entries})


def shape_service(service: Node) -> Node:
    """Return a service whose ``K=V`` lists and lists of names are maps, entries keeping their marks."""
    if not isinstance(service, MapNode):
        return service
    entries = {name: Entry(entry.key, _shape(name, entry.value)) for name, entry in service.entries.items()}
    return replace(service, entries=entries)


def _shape(name: str, value: Node) -> Node:
    if isinstance(value, ListNode) and all(isinstance(item, Scalar) for item in value.items):
        if name in _ASSIGNMENTS:
            return _as_map(value, _assignment)
        if name in _NAME_LISTS:
            return _as_map(value, lambda item: (item.text, replace(item, text="", null=True)))
    return value


def _as_map(value: ListNode, split: Callable[[Scalar], tuple[str, Scalar]]) -> MapNode:
    entries = {}
    for item in value.items:
        if isinstance(item, Scalar):
            name, content = split(item)
            entries[name] = Entry(item.mark, content)
    return MapNode(entries, value.mark, value.tag)


def _assignment(item: Scalar) -> tuple[str, Scalar]:
    name, sign, content = item.text.partition("=")
    return name.strip(), replace(item, text=content, null=not sign)


def merge_services(base: MapNode, over: MapNode) -> MapNode:
    """Return Compose's merge of two ``services:`` maps."""
    return _merge_maps(base, over, _merge_service)


def merge_top(base: MapNode, over: MapNode) -> MapNode:
    """Return Compose's merge of two whole files."""

    def merge(name: str, old: Node, new: Node) -> Node:
        if isinstance(old, MapNode) and isinstance(new, MapNode):
            return merge_services(old, new) if name == "services" else _merge_maps(old, new, _merge_value)
        return new

    return _merge_maps(base, over, merge)


def merge_service(base: Node, over: Node) -> Node:
    """Return Compose's merge of two definitions of one service (also what ``extends`` does)."""
    return _merge_service("", base, over)


def _merge_service(name: str, base: Node, over: Node) -> Node:
    base, over = shape_service(base), shape_service(over)
    if isinstance(base, MapNode) and isinstance(over, MapNode) and not over.tag:
        return _merge_maps(base, over, _merge_value)
    return over


def _merge_maps(base: MapNode, over: MapNode, merge: Callable[[str, Node, Node], Node]) -> MapNode:
    entries = dict(base.entries)
    for name, entry in over.entries.items():
        old = entries.get(name)
        if entry.value.tag == "reset":
            entries.pop(name, None)
        elif old is None or entry.value.tag == "override":
            entries[name] = entry
        else:
            entries[name] = Entry(entry.key, merge(name, old.value, entry.value))
    return replace(base, entries=entries)


def _merge_value(name: str, base: Node, over: Node) -> Node:
    if isinstance(base, MapNode) and isinstance(over, MapNode):
        if name == "logging" and _driver(base) != _driver(over):
            return over
        return _merge_maps(base, over, _merge_value if name != "x-bluegreen" else _merge_own)
    if isinstance(base, ListNode) and isinstance(over, ListNode) and name not in _REPLACED:
        return replace(over, items=_appended(name, base, over))
    return over


def _merge_own(name: str, base: Node, over: Node) -> Node:
    """Within ``x-bluegreen`` maps merge and everything else, lists too, is replaced."""
    if isinstance(base, MapNode) and isinstance(over, MapNode):
        return _merge_maps(base, over, _merge_own)
    return over


def _driver(logging: MapNode) -> object:
    node = logging.get("driver")
    return None if node is None else plain(node)


def _appended(name: str, base: ListNode, over: ListNode) -> tuple[Node, ...]:
    identity = _mount_target if name in ("volumes", "devices") else _whole
    replaced = {identity(item) for item in over.items}
    kept = tuple(item for item in base.items if identity(item) not in replaced)
    return (*kept, *over.items)


def _whole(item: Node) -> str:
    return repr(plain(item))


def _mount_target(item: Node) -> str:
    """Volumes and devices are one and the same when they end at the same place in the container."""
    if isinstance(item, Scalar):
        parts = item.text.split(":")
        return parts[1] if len(parts) > 1 else parts[0]
    target = item.get("target") if isinstance(item, MapNode) else None
    return _whole(item) if target is None else str(plain(target))
