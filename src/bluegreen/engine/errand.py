"""The request on whose behalf something is begun, so that it is found again after a crash.

The API sets it for a request that bears a key; what that begins bears it in the data of its event, which is
written in the same transaction as the rollout. So after a crash either both are there, or nothing was begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from bluegreen.domain.events import Event

_CURRENT: ContextVar[str] = ContextVar("errand", default="")

FIELD = "errand"


@contextmanager
def under(errand: str) -> Iterator[None]:
    token = _CURRENT.set(errand)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> str:
    """Return the errand of this task, empty where there is none."""
    return _CURRENT.get()


def marked(event: Event, errand: str) -> Event:
    return replace(event, data={**event.data, FIELD: errand}) if errand else event
