"""From a file's bytes to a :mod:`tree`: YAML syntax, duplicate keys, anchors, merge keys.

PyYAML's composer gives nodes with marks and resolves nothing, which is what keeps ``restart: no``
and ``22:22`` intact. The rule here: hostile input (alias bombs, cycles, deep nesting, other
encodings) ends as a problem, in bounded time and memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bluegreen.stack.problems import Problem, Severity
from bluegreen.stack.tree import Entry, ListNode, MapNode, Mark, Node, Scalar

MAX_BYTES = 512 * 1024
MAX_NODES = 50_000
MAX_DEPTH = 40
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LOCAL_TAGS = {"!reset": "reset", "!override": "override"}
_STANDARD_TAG = "tag:yaml.org,2002:"


class _Refused(Exception):
    """Stops the reading of one file; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read(path: Path, found: list[Problem]) -> MapNode | None:
    """Return the file's tree, or ``None`` after adding to ``found`` why there is none."""
    name = str(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "check the path given with -f, and its permissions"
        found.append(_problem(name, f"cannot read the file: {reason}", "file_unreadable", hint=hint))
        return None
    return parse(data, name, found)


def parse(data: bytes, name: str, found: list[Problem]) -> MapNode | None:
    """Like :func:`read`, for bytes that are called ``name`` in problems."""
    try:
        root = _compose(_decode(data, name), name)
        return _Builder(name, found).top(root)
    except _Refused as refused:
        found.append(refused.problem)
        return None
    except RecursionError:
        found.append(_problem(name, "the file is nested too deeply", "too_deep"))
        return None


def _problem(
    file: str, message: str, code: str, line: int = 0, column: int = 0, *, hint: str = ""
) -> Problem:
    return Problem(Severity.ERROR, file, line, column, "", message, hint, code)


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise _Refused(_problem(name, f"the file is larger than {MAX_BYTES // 1024} KiB", "file_too_large"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        hint = "save the file as UTF-8"
        raise _Refused(
            _problem(name, "the file is not UTF-8 text", "not_utf8", line, column, hint=hint)
        ) from None


def _compose(text: str, name: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _Refused(_syntax(error, name)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = "the file holds a control character that YAML does not allow"
        raise _Refused(_problem(name, message, "yaml_syntax", line, column)) from None
    except (yaml.YAMLError, ValueError, OverflowError, AttributeError) as error:
        # PyYAML lets chr() and int() of absurd escapes and directives fail by themselves.
        raise _Refused(_problem(name, f"the file is not valid YAML: {error}", "yaml_syntax")) from None
    if root is None:
        hint = "a stack file is a map of services; see `bluegreen check --help`"
        raise _Refused(_problem(name, "the file is empty", "empty_file", 1, 1, hint=hint))
    return root


def _syntax(error: yaml.MarkedYAMLError, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    message = " ".join(part for part in (error.problem, error.context) if part)
    hint = "indent with spaces, YAML knows no tabs" if r"'\t'" in message else ""
    if "expected a single document" in message:
        hint = "keep one document per file and pass several files with -f"
    return _problem(name, f"YAML syntax: {message}", "yaml_syntax", line, column, hint=hint)


@dataclass(slots=True)
class _Builder:
    """Turns PyYAML's nodes into ours, counting what aliases multiply."""

    file: str
    found: list[Problem]
    nodes: int = 0
    open: set[int] = field(default_factory=set)

    def top(self, root: yaml.Node) -> MapNode:
        tree = self.node(root)
        if isinstance(tree, MapNode):
            return tree
        hint = "write services as `name:` with their keys indented below"
        what = "a list" if isinstance(tree, ListNode) else "a single value"
        message = f"a stack file is a map of services, this one is {what}"
        raise self.refuse(root, message, "not_a_map", hint)

    def mark(self, node: yaml.Node) -> Mark:
        return Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def refuse(self, node: yaml.Node, message: str, code: str, hint: str = "") -> _Refused:
        mark = self.mark(node)
        return _Refused(_problem(self.file, message, code, mark.line, mark.column, hint=hint))

    def node(self, node: yaml.Node) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            message = f"anchors and aliases expand to more than {MAX_NODES} values"
            raise self.refuse(node, message, "too_many_values", "write out what the aliases stand for")
        if id(node) in self.open:
            raise self.refuse(node, "an anchor contains itself", "recursive_anchor")
        if len(self.open) >= MAX_DEPTH:
            raise self.refuse(node, f"the file is nested deeper than {MAX_DEPTH} levels", "too_deep")
        self.open.add(id(node))
        try:
            return self.build(node, self.tag(node))
        finally:
            self.open.discard(id(node))

    def tag(self, node: yaml.Node) -> str:
        tag = str(node.tag or "")
        if tag in _LOCAL_TAGS:
            return _LOCAL_TAGS[tag]
        if tag.startswith(_STANDARD_TAG) or tag in ("", "!"):
            return ""
        hint = "only !reset and !override (in Compose override files) have a meaning"
        raise self.refuse(node, f"unknown tag {tag!r}", "unknown_tag", hint)

    def build(self, node: yaml.Node, tag: str) -> Node:
        if isinstance(node, yaml.ScalarNode):
            null = node.style is None and node.value in _NULLS
            return Scalar(node.value, self.mark(node), null, tag)
        if isinstance(node, yaml.SequenceNode):
            return ListNode(tuple(self.node(item) for item in node.value), self.mark(node), tag)
        return self.mapping(node, tag)

    def mapping(self, node: yaml.Node, tag: str) -> MapNode:
        own: dict[str, Entry] = {}
        inherited: dict[str, Entry] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.refuse(key, "a key must be plain text", "bad_key")
            if key.value == "<<" and key.style is None:
                self.inherit(value, inherited)
                continue
            if key.value in own:
                self.duplicate(key, own[key.value].key)
            own[key.value] = Entry(self.mark(key), self.node(value))
        return MapNode({**inherited, **own}, self.mark(node), tag)

    def inherit(self, value: yaml.Node, into: dict[str, Entry]) -> None:
        merged = self.node(value)
        for source in merged.items if isinstance(merged, ListNode) else (merged,):
            if not isinstance(source, MapNode):
                raise self.refuse(value, "`<<` takes a map or a list of maps", "bad_merge_key")
            for name, entry in source.entries.items():
                into.setdefault(name, entry)

    def duplicate(self, key: yaml.ScalarNode, first: Mark) -> None:
        mark = self.mark(key)
        message = f"the key {key.value!r} is given twice (first at line {first.line}, column {first.column})"
        hint = "remove one of the two"
        self.found.append(_problem(self.file, message, "duplicate_key", mark.line, mark.column, hint=hint))
