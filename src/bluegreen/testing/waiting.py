"""Waiting in tests: for a condition, under a deadline, never for a stretch of time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(condition: Callable[[], Awaitable[T | None]], timeout: float = ...) -> T: ...
@overload
async def until(condition: Callable[[], T | None], timeout: float = ...) -> T: ...
async def until(condition: Callable[[], Any], timeout: float = 10.0) -> Any:
    """Return the first true value of ``condition``, asked every 10 ms, or every 30 ms if it is async.

    Raises ``AssertionError`` with the condition's source and last value after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        value, pause = condition(), 0.01
        if inspect.isawaitable(value):
            value, pause = await value, 0.03  # it asks somebody, who has other work
        if value:
            return value
        if time.monotonic() > deadline:
            source = inspect.getsource(condition).strip()
            raise AssertionError(f"not within {timeout:g} s: {source} → {value!r}")
        await asyncio.sleep(pause)
