"""Runs the models over the tree and says in a person's words what they object to.

The rule: a service with faults is validated again without its faulty keys, so that the checks that
follow (links, ports, routes) still see the rest and every problem is reported in one run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bluegreen.stack.models.support import Keys, Support
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.tree import MapNode, Node, PathParts, Report, find, plain, without

K = TypeVar("K", bound=Keys)

_EXPECTED = {
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
}


def validate(model: type[K], node: Node, report: Report) -> tuple[K, Report] | None:
    """Return the model of ``node`` without what had faults, and the report to go on with.

    That report's tree lacks the faulty parts, so that indexes in the model and in the tree agree.
    ``None`` if the node is no map.
    """
    if not isinstance(node, MapNode):
        name = str(report.prefix[-1]) if report.prefix else "the file"
        report.error("not_a_map", f"{name} must be a map of keys", hint=f"see the keys: {_few(model)}")
        return None
    for attempt in range(3):
        try:
            result = model.model_validate(plain(node))
        except ValidationError as error:
            if attempt == 0:
                for details in error.errors():
                    _report(model, details, report)
            faults = [tuple(details["loc"]) for details in error.errors()]
            node, report = _pruned(node, report, faults, whole_keys=attempt > 0)
        else:
            report_support(result, report)
            return result, report
    return model.model_validate({}), report


def _few(model: type[Keys]) -> str:
    return ", ".join(list(model.model_fields)[:6]) + " …"


def _pruned(node: Node, report: Report, faults: list[PathParts], *, whole_keys: bool) -> tuple[Node, Report]:
    """Cut the faulty parts out of the tree: as little as possible, then (``whole_keys``) whole keys."""
    paths = {find(node, path)[2] for path in faults}
    paths = {path[:1] if whole_keys else path for path in paths}
    root = report.root
    for path in sorted(paths, key=lambda path: [(isinstance(p, int), p) for p in path], reverse=True):
        node, root = without(node, path), without(root, (*report.prefix, *path))
    return node, replace(report, root=root)


def _report(model: type[Keys], details: ErrorDetails, report: Report) -> None:
    path = tuple(details["loc"])
    _, _, seen = find(report.root, (*report.prefix, *path))
    local = seen[len(report.prefix) :]
    name = str(path[-1]) if path else ""
    if details["type"] == "extra_forbidden":
        known = known_keys(model, path[:-1])
        report.error(
            "unknown_key", f"unknown key {name!r}", *path, hint=suggest(name, known, listed=40), key=True
        )
    elif details["type"] == "missing":
        report.error("missing_key", f"the key {name!r} is missing", *local, hint=f"add `{name}:`", key=True)
    else:
        message, hint = _explain(details)
        where = str(local[-1]) if local else "value"
        prefix = "" if where.isdigit() else f"{where}: "
        report.error("bad_value", f"{prefix}{message}", *local, hint=hint)


def _explain(details: ErrorDetails) -> tuple[str, str]:
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Invalid):
        return cause.message, cause.hint
    value = details.get("input")
    if details["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(details.get("ctx", {}).get("expected", "")))
        shown = repr(value) if isinstance(value, str) else _found(value)
        return f"{shown} is not allowed", suggest(str(value), allowed)
    expected = _EXPECTED.get(details["type"])
    if expected:
        return f"expected {expected}, found {_found(value)}", ""
    return details["msg"], ""


def _found(value: object) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else f"{str(value)[:40]!r}"


def known_keys(model: type[Keys], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed in the map at ``path`` below ``model``."""
    for part in path:
        inner = _model_of(model, str(part))
        model = inner or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_of(model: type[Keys], name: str) -> type[Keys] | None:
    for field_name, field in model.model_fields.items():
        if name in (field.alias, field_name):
            return next(iter(models_in(field.annotation)), None)
    return None


def models_in(annotation: Any) -> list[type[Keys]]:
    """Return the models that an annotation mentions, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, Keys):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]


def report_support(keys: Keys, report: Report) -> None:
    """Say what becomes of each key that is declared but not carried out."""
    for name in sorted(keys.model_fields_set):
        field = type(keys).model_fields[name]
        extra = field.json_schema_extra
        support = Support(str(extra["x-support"])) if isinstance(extra, Mapping) else Support.SUPPORTED
        reason = field.description or ""
        written = field.alias or name
        if support is Support.REFUSED:
            message, _, hint = reason.partition(": ")
            report.error("unsupported_key", message, written, hint=hint, key=True)
        elif support is Support.WARNED:
            report.warn("ignored_key", reason, written, key=True)
        elif support is Support.UNNEEDED:
            report.info("unneeded_key", reason, written, key=True)
        else:
            _descend(getattr(keys, name), report.under(written))


def _descend(value: object, report: Report) -> None:
    if isinstance(value, Keys):
        report_support(value, report)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _descend(item, report.under(index))
    elif isinstance(value, dict):
        for name, item in value.items():
            _descend(item, report.under(name))
