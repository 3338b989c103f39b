"""A command whose answer was lost is sent once more, when that cannot do it twice.

Used by :mod:`bluegreen.wire.client`. It bears the key of the first time: the controller answers what it
answered, or carries out what it had not begun. One that does not know keys is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Temporary

BACK = 8.0
"""Seconds for which a controller that broke the connection is waited for."""

_RETRY = 0.2


def again(about: Callable[[], Any], call: Callable[[], Any], lost: OutcomeUnknown) -> Any:
    """Return the answer to ``call`` once the controller is back. Raises ``lost`` where it is not, and what
    the controller refuses."""
    deadline = time.monotonic() + BACK
    while not _knows_keys(about, lost):
        if time.monotonic() > deadline:
            raise lost
        time.sleep(_RETRY)
    while True:
        try:
            return call()
        except Temporary as error:
            if error.code != "request_in_progress":
                raise
            if time.monotonic() > deadline:
                raise lost from error
        time.sleep(_RETRY)


def _knows_keys(about: Callable[[], Any], lost: OutcomeUnknown) -> bool:
    """Whether a controller is there, one that knows keys."""
    try:
        found = about()
    except Temporary:
        return False
    except BluegreenError as error:
        raise lost from error
    if not found.get("idempotency_keys"):
        raise lost
    return True
