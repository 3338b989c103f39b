"""JSON becomes a dataclass: by its type hints, leaving out what it does not have.

The standard library does: pydantic would cost a program that only wants to deploy a third of a second.
"""

from __future__ import annotations

from collections import abc
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from bluegreen.domain.errors import Permanent

T = TypeVar("T")


def read(kind: type[T], document: Any) -> T:
    """Return ``document`` as a ``kind``. Raises ``Permanent`` (``bad_answer``)."""
    try:
        found: T = _value(kind, document)
    except (TypeError, ValueError, AttributeError) as error:
        raise Permanent(
            f"the controller's answer is no {kind.__name__}",
            code="bad_answer",
            evidence=(("difference", str(error)),),
            hint="Do client and controller have the same version?",
        ) from error
    return found


def read_all(kind: type[T], documents: Any) -> tuple[T, ...]:
    return tuple(read(kind, document) for document in documents)


def _value(kind: Any, found: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if found is None else _value(inner[0], found)
    if origin is tuple:
        kinds = (inner[0] for _ in found) if inner[-1] is Ellipsis else iter(inner)
        return tuple(_value(kind, part) for kind, part in zip(kinds, found, strict=True))
    if origin is abc.Mapping:
        return dict(found)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: _value(hint, found[name]) for name, hint in _fields(kind) if name in found})
    return found


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((part.name, hints[part.name]) for part in fields(kind))
