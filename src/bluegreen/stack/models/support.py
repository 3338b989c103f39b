"""What every model of a stack file shares: how a key is declared, and what becomes of it.

A key that bluegreen does not carry out is still declared, with the reason, so that the user reads
the reason and not "unknown key".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator


class Support(StrEnum):
    """What becomes of a key: carried out; not needed; ignored with a warning; an error."""

    SUPPORTED = "supported"
    UNNEEDED = "not needed"
    WARNED = "ignored with a warning"
    REFUSED = "refused"


def key(doc: str, default: Any = None, *, alias: str | None = None) -> Any:
    """Declare a supported key; ``doc`` is its line in the reference."""
    extra: dict[str, JsonValue] = {"x-support": Support.SUPPORTED.value}
    return Field(default=default, description=doc, alias=alias, json_schema_extra=extra)


def _unsupported(support: Support, reason: str) -> Any:
    extra: dict[str, JsonValue] = {"x-support": support.value}
    return Field(default=None, description=reason, json_schema_extra=extra)


def refused(reason: str) -> Any:
    """Declare a key whose use is an error: leaving it out silently would break a promise."""
    return _unsupported(Support.REFUSED, reason)


def warned(reason: str) -> Any:
    """Declare a key that is ignored, with a warning that says why."""
    return _unsupported(Support.WARNED, reason)


def unneeded(reason: str) -> Any:
    """Declare a key whose purpose bluegreen serves anyway."""
    return _unsupported(Support.UNNEEDED, reason)


class Keys(BaseModel):
    """A map of known keys. A key without a value counts as absent; ``x-…`` keys are the user's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_absent(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if v is not None and (k == "x-bluegreen" or k[:2] != "x-")}
