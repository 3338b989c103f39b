"""How words get into HAProxy's configuration language without changing its meaning.

Used by everything that renders. Rule: what comes from a user's file is either checked against a
narrow pattern or quoted; only lines documented as raw are passed through.
"""

from __future__ import annotations

from bluegreen.drivers.proxies.words import refused


def quoted(text: str) -> str:
    """Return ``text`` as one word in HAProxy's strong quotes."""
    if any(ord(character) < 32 for character in text):
        raise refused(f"{text!r} holds a control character", "Write it on one line.")
    return "'" + text.replace("'", "'\\''") + "'"


def formatted(text: str) -> str:
    """Return ``text`` quoted, for a place where HAProxy expands ``%``."""
    return quoted(text.replace("%", "%%"))
