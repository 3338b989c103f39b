"""Which signals end a container. Pure.

Called for every ``kill`` event of the Engine, which names a signal by its number; a container's own stop
signal is known from its label.
"""

from __future__ import annotations

import re
import signal

DEFAULT = "TERM"
"""The stop signal of containers made before the label, and Docker's own default."""


def ends(sent: str, own: str | None) -> bool:
    """Whether ``sent`` asks a container with the stop signal ``own`` to end, or ends it."""
    known = number(sent)
    return known is not None and known in (number(own or DEFAULT), signal.SIGKILL)


def number(name: str) -> int | None:
    """Return the number of ``15``, ``TERM``, ``SIGTERM`` or ``RTMIN+3``; ``None`` if it is no signal."""
    text = name.upper().removeprefix("SIG")
    if text.isdecimal():
        return int(text)
    realtime = re.fullmatch(r"(RTMIN|RTMAX)([+-]\d+)", text)
    base, offset = (realtime[1], int(realtime[2])) if realtime else (text, 0)
    known = getattr(signal, f"SIG{base}", None)
    return int(known) + offset if isinstance(known, signal.Signals) else None
