"""NGINX's own words, out of what it prints and logs, as errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.drivers.proxies.words import refused

_SAID = re.compile(r"^(?:nginx: )?(?:\S+ \S+ )?\[(?:emerg|alert)\] (?:\d+#\d+: )?(.+)$", re.MULTILINE)
_LINE = re.compile(r"([^\s/]+):(\d+)$", re.MULTILINE)


def complaint(said: str) -> str:
    """Return what matters of ``said``."""
    return "\n".join(_SAID.findall(said)) or said.strip()[-500:] or "it gave no reason"


def refuses(said: str, texts: Mapping[str, str]) -> Permanent:
    """Return the error for a configuration that ``nginx -t`` refuses; ``texts`` are its files by name."""
    words = complaint(said)
    evidence = [("nginx", words)]
    for file, number in _LINE.findall(words):
        lines = texts.get(file, "").splitlines()
        if int(number) <= len(lines):
            evidence.append((f"line {number}", lines[int(number) - 1].strip()))
    return refused(
        f"NGINX refuses the configuration: {words.splitlines()[0]}",
        "Correct the setting that the line comes from; the configuration in force is unchanged.",
        *evidence,
    )


def not_started(said: str) -> Permanent:
    words = complaint(said)
    return refused(
        f"NGINX does not serve the configuration: {words.splitlines()[0]}",
        "Read NGINX's words; `bluegreen doctor` shows ports and limits of this machine.",
        ("nginx", words),
    )


def down(folder: Path) -> Temporary:
    return Temporary(
        "NGINX is not running",
        code="balancer_down",
        hint="The controller restarts it; if it does not come back, run `bluegreen doctor`.",
        evidence=(("folder", str(folder)),),
    )


def hung(deadline: float) -> Temporary:
    return Temporary(
        f"NGINX did not finish within {deadline:g} s",
        code="balancer_hung",
        hint="See whether the machine is overloaded.",
    )
