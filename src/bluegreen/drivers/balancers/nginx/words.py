"""How words get into NGINX's configuration language without changing its meaning.

Used by everything that renders. Rule: what comes from a user's file is either checked against a narrow
pattern or quoted. NGINX has no escape for ``$``: where it would be expanded, it is refused or kept in a file.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bluegreen.drivers.proxies.words import refused

_PLAIN = re.compile(r"[A-Za-z0-9_.:!+@=/*,\[\]-]{1,1000}")
_LONGEST = 4000
"""Bytes: NGINX refuses a parameter of 4096 or more."""


def plain(text: str) -> str:
    """Return ``text`` if it is one word that means itself in NGINX's language; refuse it otherwise."""
    if not _PLAIN.fullmatch(text):
        raise refused(f"{text!r} cannot be written into NGINX's configuration", "Use plain characters only.")
    return text


def quoted(text: str) -> str:
    """Return ``text`` as one word in double quotes, for a place where NGINX does not expand ``$``."""
    if any(ord(character) < 32 for character in text):
        raise refused(f"{text!r} holds a control character", "Write it on one line.")
    if len(text.encode()) > _LONGEST:
        raise refused(f"{text[:40]!r}… is too long for NGINX", f"Keep it under {_LONGEST} bytes.")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def whole_seconds(seconds: float) -> str:
    """Return a time for the few directives that know seconds only."""
    return f"{max(1, math.ceil(seconds))}s"


def block(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield ``title { … }`` with its lines indented by one step."""
    yield f"{title} {{"
    yield from (f"    {line}" if line else "" for line in lines)
    yield "}"


def directive(line: str) -> str:
    """Return a raw line of a user as a directive; NGINX judges it before it is used."""
    text = line.strip()
    if any(ord(character) < 32 for character in text):
        raise refused(f"{line!r} holds a control character", "Write one directive on each line.")
    return text if text.endswith((";", "}", "{")) else f"{text};"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Files that a configuration refers to, by name. ``base`` is what it must put before their names."""

    base: str = ""
    files: dict[str, str] = field(default_factory=dict)

    def store(self, kind: str, text: str, ending: str) -> str:
        """Keep ``text`` as a file named after what it holds; return how to refer to it."""
        file = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.{ending}"
        self.files[file] = text if text.endswith("\n") else text + "\n"
        return self.base + file
