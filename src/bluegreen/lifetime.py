"""What every long-running command needs: its folder for itself, the signals that end it, an error as itself,
and no pause for what stays.

Used by the composition roots (:mod:`bluegreen.server`, :mod:`bluegreen.box`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bluegreen.domain.errors import UserError


@contextmanager
def sole_use(home: Path, lock: str, taken: UserError) -> Iterator[None]:
    """Create the state folder and hold ``lock`` in it. Raises ``taken`` where somebody else holds it."""
    try:
        home.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(home / lock, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise UserError(
            f"cannot use {home}: {error.strerror}",
            code="state_dir_unusable",
            hint="Give another folder with --state-dir or BLUEGREEN_HOME.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise taken from error
    finally:
        os.close(handle)


@contextmanager
def loading() -> Iterator[None]:
    """Collect no garbage while a program loads its modules: there is hardly any to find."""
    gc.disable()
    try:
        yield
    finally:
        settle()
        gc.enable()


def settle() -> None:
    """Take what there is by now out of all later collections of garbage, as it stays.

    To look through the modules of a controller takes tens of milliseconds in which it does nothing else, and
    could come in the middle of a switch (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.freeze()


def told_to_end() -> asyncio.Event:
    """Return what is set by SIGTERM or SIGINT from now on."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return told


async def end(work: asyncio.Future[None]) -> None:
    """Cancel ``work`` and wait for its end; re-raise the first thing that went wrong in it, as itself."""
    work.cancel()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
