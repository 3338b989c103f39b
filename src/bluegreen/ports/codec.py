"""Domain values as JSON documents, and back: what journals store and registries are told.

Rules: the document follows the dataclass, so a field that is added with a default needs no
migration: an older document gets the default, and a field that this version does not know is
left out. Whatever else changes (a rename, a new meaning) is a migration of the driver.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class UndecodableError(Exception):
    """A stored document is not one of the wanted type. ``detail`` says where it differs."""

    def __init__(self, wanted: str, detail: str) -> None:
        super().__init__(f"not a {wanted}: {detail}")
        self.wanted = wanted
        self.detail = detail


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Adapters cost milliseconds to make, and only those that are used are made."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def encode(value: object) -> str:
    """Return ``value`` (a dataclass of the domain or the ports) as one line of ASCII JSON.

    The standard library writes it, not pydantic: read-only mappings, infinite times and text that is
    not valid Unicode (the output of a foreign process) have to survive the round trip.
    """
    return json.dumps(value, default=_plain, separators=(",", ":"))


def decode(kind: type[T], document: str) -> T:
    """Return the value that ``document`` holds. Raises :class:`UndecodableError`."""
    try:
        return _adapter(kind).validate_python(json.loads(document))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UndecodableError(kind.__name__, f"{where}: {first['msg']}") from error
    except ValueError as error:
        raise UndecodableError(kind.__name__, str(error)) from error


def _plain(value: object) -> dict[Any, Any] | list[Any]:
    if is_dataclass(value):
        return {part.name: getattr(value, part.name) for part in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")
