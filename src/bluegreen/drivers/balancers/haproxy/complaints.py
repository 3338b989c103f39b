"""What HAProxy says when it refuses, and the errors that are made of it.

Used wherever HAProxy is started, reloaded or asked to check a file. Rule: its own words reach the user
whole, with the line of the configuration that they are about.
"""

from __future__ import annotations

import re
from pathlib import Path

from bluegreen.domain.errors import Permanent
from bluegreen.drivers.balancers.haproxy.layout import CANDIDATE
from bluegreen.drivers.proxies.words import refused

_PREFIX = re.compile(r"^\[\w+\]\s+\(\d+\) : ")
_LINE = re.compile(re.escape(CANDIDATE) + r":(\d+)")
_LONGEST = 500


def complaint(said: str) -> str:
    """Return what HAProxy complained about, without its prefixes and its summary.

    Where it gave no alert, the end of all that it said.
    """
    lines = [line for line in said.splitlines() if line.startswith("[ALERT]")]
    told = [_PREFIX.sub("", line).removeprefix("config : ") for line in lines]
    alerts = [line for line in told if "Fatal errors" not in line and "Error(s) found" not in line]
    return "\n".join(alerts) or said.strip()[-_LONGEST:]


def start_refused(words: str) -> Permanent:
    """Return the error for a HAProxy that ended, or served nobody, instead of starting."""
    return refused(
        f"HAProxy does not start: {_first(words)}",
        "Read HAProxy's words; `bluegreen doctor` shows ports and limits of this machine.",
        ("haproxy", words),
    )


def candidate_refused(candidate: Path, said: str) -> Permanent:
    """Return the error for a ``candidate`` that HAProxy's check refuses, with the lines it names."""
    words = complaint(said)
    evidence = [("haproxy", words)]
    lines = candidate.read_text().splitlines()
    for number in dict.fromkeys(int(n) for n in _LINE.findall(words)):
        evidence.append((f"line {number}", lines[number - 1].strip() if number <= len(lines) else ""))
    return refused(
        f"HAProxy refuses the configuration: {_first(words)}",
        "Correct the setting that the line comes from; the configuration in force is unchanged.",
        *evidence,
    )


def _first(words: str) -> str:
    return words.splitlines()[0] if words else "it gave no reason"
