"""All files of a stack as one tree: dialect, interpolation, ``extends``, overrides.

Called by :mod:`loading`. What comes out has no variables, no ``extends`` and no ``K=V`` lists left,
and every node still knows the file it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from bluegreen.stack import merging, reading
from bluegreen.stack.interpolation import Interpolator
from bluegreen.stack.problems import Invalid, Problem, Severity, suggest
from bluegreen.stack.tree import Entry, MapNode, Mark, Node, Scalar, map_scalars

_COMPOSE_TOP = frozenset(
    {"services", "version", "name", "volumes", "networks", "configs", "secrets", "include", "models"}
)
_MAX_EXTENDS = 40


class Dialect(StrEnum):
    DOCKER_CLOUD = "docker-cloud"
    COMPOSE = "compose"


@dataclass(frozen=True, slots=True)
class Combined:
    """The merged tree; ``services`` is the part of it that holds the services."""

    dialect: Dialect
    root: MapNode
    services: MapNode
    prefix: tuple[str, ...]


def combine(files: Sequence[Path], values: Mapping[str, str], found: list[Problem]) -> Combined | None:
    """Return the files merged in order, or ``None`` when nothing of use could be read."""
    layering = _Layering(values, found)
    trees = [tree for path in files if (tree := layering.layer(path)) is not None]
    if not trees:
        return None
    dialect = dialect_of(trees[0])
    root = trees[0]
    for tree in trees[1:]:
        if _fits(tree, dialect, found):
            merge = merging.merge_top if dialect is Dialect.COMPOSE else merging.replace_services
            root = merge(root, tree)
    return _finish(root, dialect, found)


def dialect_of(root: MapNode) -> Dialect:
    """Compose has ``services:`` (or nothing but Compose's top-level keys); else it is Docker Cloud's."""
    services = root.get("services")
    if isinstance(services, MapNode) and isinstance(services.get("image"), Scalar):
        return Dialect.DOCKER_CLOUD
    names = {name for name in root.entries if not name.startswith("x-")}
    compose = services is not None or bool(names and names <= _COMPOSE_TOP)
    return Dialect.COMPOSE if compose else Dialect.DOCKER_CLOUD


def _fits(tree: MapNode, dialect: Dialect, found: list[Problem]) -> bool:
    if dialect_of(tree) is dialect:
        return True
    message = f"this file is in another dialect than the first one ({dialect})"
    hint = "write all files of a stack in one dialect"
    found.append(_at(tree.mark, Severity.ERROR, message, "mixed_dialects", hint))
    return False


def _finish(root: MapNode, dialect: Dialect, found: list[Problem]) -> Combined | None:
    if dialect is Dialect.DOCKER_CLOUD:
        if "x-bluegreen" in root.entries:
            mark = root.entries["x-bluegreen"].key
            message, hint = "x-bluegreen belongs to a service", "move it below the service it is for"
            found.append(_at(mark, Severity.ERROR, message, "misplaced_key", hint))
        entries = {
            name: Entry(entry.key, merging.shape_service(entry.value))
            for name, entry in root.entries.items()
            if not name.startswith("x-")
        }
        root = replace(root, entries=entries)
        return Combined(dialect, root, root, ())
    services = root.get("services")
    if not isinstance(services, MapNode):
        mark = root.mark if services is None else services.mark
        hint = "add `services:` with at least one service"
        found.append(_at(mark, Severity.ERROR, "the file has no map of services", "no_services", hint))
        return None
    shaped = {
        n: Entry(e.key, merging.shape_service(e.value)) for n, e in services.entries.items() if n[:2] != "x-"
    }
    services = replace(services, entries=shaped)
    whole = {**root.entries, "services": Entry(root.entries["services"].key, services)}
    return Combined(dialect, replace(root, entries=whole), services, ("services",))


def _at(mark: Mark, severity: Severity, message: str, code: str, hint: str = "") -> Problem:
    return Problem(severity, mark.file, mark.line, mark.column, "", message, hint, code)


@dataclass(frozen=True, slots=True)
class _Layering:
    values: Mapping[str, str]
    found: list[Problem]

    def layer(self, path: Path) -> MapNode | None:
        """Read one file; fill in its variables and its ``extends``."""
        tree = self.interpolated(path)
        if tree is None or dialect_of(tree) is Dialect.DOCKER_CLOUD:
            return tree
        services = tree.get("services")
        if not isinstance(services, MapNode):
            return tree
        extended = {
            name: Entry(entry.key, self.extend(entry.value, services, (f"{path}:{name}",)))
            for name, entry in services.entries.items()
        }
        entry = Entry(tree.entries["services"].key, replace(services, entries=extended))
        return replace(tree, entries={**tree.entries, "services": entry})

    def interpolated(self, path: Path) -> MapNode | None:
        tree = reading.read(path, self.found)
        if tree is None:
            return None
        warned: set[str] = set()
        changed = map_scalars(tree, lambda scalar: self.fill(scalar, warned))
        return changed if isinstance(changed, MapNode) else None

    def fill(self, scalar: Scalar, warned: set[str]) -> Scalar:
        if "$" not in scalar.text:
            return scalar

        def unset(name: str) -> None:
            if name not in warned:
                warned.add(name)
                message = f"the variable {name} is not set; it becomes empty"
                hint = f"set {name}, or write ${{{name}:-default}}; $${name} is a plain dollar sign"
                self.found.append(_at(scalar.mark, Severity.WARNING, message, "variable_unset", hint))

        try:
            return replace(scalar, text=Interpolator(self.values, unset).expand(scalar.text))
        except Invalid as invalid:
            problem = _at(scalar.mark, Severity.ERROR, invalid.message, "bad_variable", invalid.hint)
            self.found.append(problem)
            return scalar

    def extend(self, service: Node, siblings: MapNode, seen: tuple[str, ...]) -> Node:
        """Return ``service`` merged over what it extends. ``seen`` is the way here, to end cycles."""
        wanted = service.get("extends") if isinstance(service, MapNode) else None
        if wanted is None or not isinstance(service, MapNode):
            return service
        name, file = _extends(wanted)
        own = replace(service, entries={k: e for k, e in service.entries.items() if k != "extends"})
        if name is None:
            return service
        if file is not None:
            siblings = self.services_of(Path(wanted.mark.file).parent / file)
        identity = f"{file or wanted.mark.file}:{name}"
        base = siblings.get(name)
        if base is None or identity in seen or len(seen) > _MAX_EXTENDS:
            self.refuse_extends(wanted, name, siblings, cycle=base is not None)
            return own
        return merging.merge_service(self.extend(base, siblings, (*seen, identity)), own)

    def refuse_extends(self, at: Node, name: str, siblings: MapNode, *, cycle: bool) -> None:
        message = (
            f"`extends` goes round in a circle, or too far, at {name!r}"
            if cycle
            else f"there is no service {name!r}"
        )
        hint = "" if cycle else suggest(name, siblings.entries)
        self.found.append(_at(at.mark, Severity.ERROR, message, "bad_extends", hint))

    def services_of(self, path: Path) -> MapNode:
        tree = self.interpolated(path)
        services = tree.get("services") if tree is not None else None
        return services if isinstance(services, MapNode) else MapNode({}, Mark(str(path), 0, 0))


def _extends(wanted: Node) -> tuple[str | None, str | None]:
    """Return service and file; a shape that is neither is left for the model to refuse."""
    if isinstance(wanted, Scalar):
        return wanted.text, None
    if not isinstance(wanted, MapNode):
        return None, None
    service, file = wanted.get("service"), wanted.get("file")
    if not isinstance(service, Scalar) or not isinstance(file, Scalar | None):
        return None, None
    return service.text, file.text if file is not None else None
