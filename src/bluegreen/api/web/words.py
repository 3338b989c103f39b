"""Numbers and times as people read them. Called by the templates."""

from __future__ import annotations

from datetime import UTC, datetime

from bluegreen.domain import latency
from bluegreen.engine import narrate

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def span(seconds: float) -> str:
    """Return a duration: ``2 s``, ``3 min 20 s``, ``5 h 2 min``, ``3 d 1 h``."""
    left = int(max(seconds, 0))
    for position, (unit, size) in enumerate(_UNITS):
        if left >= size:
            lower, small = (*_UNITS, ("s", 1))[position + 1]
            rest = left % size // small
            return f"{left // size} {unit}" + (f" {rest} {lower}" if rest else "")
    return f"{left} s"


def moment(at: float) -> str:
    """Return a time for people, in UTC: every one of a team reads the same."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def machine(at: float) -> str:
    """Return a time for ``<time datetime>``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def share(policy_shares: tuple[int, ...]) -> str:
    """Return how traffic moves: in one step, or in which steps."""
    if policy_shares == (100,):
        return "in one step"
    return "in steps of " + ", ".join(f"{one} %" for one in policy_shares)


def amount(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


FILTERS = {
    "span": span,
    "moment": moment,
    "clock": clock,
    "machine": machine,
    "short": narrate.short,
    "amount": amount,
    "wait": latency.wait_in_words,
    "percent": latency.share_in_words,
    "rate": latency.rate_in_words,
}
