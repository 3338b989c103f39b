"""Waiting in tests: for a condition, under a deadline, never for a stretch of time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_PATIENCE, _LONGEST = 0.05, 0.15
"""Share of the time waited so far that passes before the next question, and seconds at most."""


@overload
async def until(condition: Callable[[], Awaitable[T | None]], timeout: float = ...) -> T: ...
@overload
async def until(condition: Callable[[], T | None], timeout: float = ...) -> T: ...
async def until(condition: Callable[[], Any], timeout: float = 30.0) -> Any:
    """Return the first true value of ``condition``.

    It is asked every 10 ms; if it is async, every 30 ms and after a while rarer: it asks somebody, who has
    other work. Raises ``AssertionError`` with its source and last value after ``timeout`` seconds.
    """
    began = time.monotonic()
    while True:
        value, pause = condition(), 0.01
        waited = time.monotonic() - began
        if inspect.isawaitable(value):
            value, pause = await value, min(max(0.03, waited * _PATIENCE), _LONGEST)
        if value:
            return value
        if waited > timeout:
            source = inspect.getsource(condition).strip()
            raise AssertionError(f"not within {timeout:g} s: {source} → {value!r}")
        await asyncio.sleep(pause)
