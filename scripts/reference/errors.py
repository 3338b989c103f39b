"""``reference/errors.md``: every code in the source, and the explanations of ``explanations.yml``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from reference.source_codes import GROUPS, REPORTS, Place, places
from reference.tables import made_from, table

_INTRODUCTION = """
# Errors

Every error has a code that does not change, a message, the evidence that was seen, and a hint that says
what to do. The command line prints all four; `--json` prints them as one document on stdout; the HTTP API
sends them as a [problem document](api.md#errors). Look for the code in brackets at the end of the output.

| group | exit code | means |
|---|---|---|
| `user` (UserError) | 2 | the request is wrong: mend it and ask again |
| `temporary` (Temporary) | 1 | the world is not ready: the same request may work later |
| `permanent` (Permanent) | 1 | the world refuses: the same request will fail again |
| `unknown` (OutcomeUnknown) | 1 | it may have happened: look before you repeat it |
| `bug` (Bug) | 70 | the program contradicts itself: traffic is left alone, please report it |
| reason | 1 or 3 | why a rollout failed: 1 before traffic moved, 3 when it was moved back |

All exit codes: 0 promoted, 1 failed, 2 usage, 3 rolled back safely, 4 held for a human, 70 bug, 130
interrupted. `…` below stands for what is known only when it happens.
"""

_AREAS = (
    ("domain.reasons", "A rollout failed"),
    ("stack.problems", "Command line"),
    ("engine", "A command was refused"),
    ("api", "A command was refused"),
    ("domain", "A command was refused"),
    ("cli", "Command line"),
    ("wire", "Command line"),
    ("client", "Command line"),
    ("server", "Starting the controller"),
    ("box", "A balancer on another box"),
    ("opening", "Starting the controller"),
    ("lifetime", "Starting the controller"),
    ("settings", "Starting the controller"),
    ("drivers.runtimes.docker", "Docker runtime"),
    ("drivers.runtimes.process", "Process runtime"),
    ("drivers.balancers.haproxy", "Balancer"),
    ("drivers.balancers.nginx", "Balancer"),
    ("drivers.containers", "Balancer"),
    ("drivers.proxies", "Balancer"),
    ("drivers.registries", "Registry"),
    ("drivers.messengers", "Starting the controller"),
    ("drivers.keepsake", "A balancer on another box"),
    ("drivers.journal", "Journal"),
    ("demo", "Demo"),
)
_PROBLEMS = """
## Problems of a stack file

Reported by `bluegreen check`, `plan` and `up`, all at once, as `file:line:column: severity: message`.
An error means that the stack is not used; a warning that something is left out; info is good to know.
"""


def render() -> str:
    found = places()
    explanations = _explanations({place.code for place in found})
    problems = [p for p in found if p.kind in REPORTS]
    parts = [made_from("the source (AST) and scripts/reference/explanations.yml") + _INTRODUCTION]
    for title in dict.fromkeys(title for _, title in _AREAS):
        parts.append(f"## {title}\n")
        by_code: dict[str, list[Place]] = {}
        for place in found:
            if place.kind not in REPORTS:
                by_code.setdefault(place.code, []).append(place)
        for code in sorted(c for c, uses in by_code.items() if _area(uses[0]) == title):
            parts.append(_section(code, by_code[code], explanations.get(code, "")))
    parts += [_PROBLEMS, table(("code", "severity", "says", "do"), _problem_rows(problems))]
    return "\n".join(parts)


def _explanations(codes: set[str]) -> dict[str, str]:
    path = Path(__file__).with_name("explanations.yml")
    read: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if unknown := read.keys() - codes:
        raise SystemExit(f"{path.name} explains codes that the source does not have: {sorted(unknown)}")
    return read


def _area(place: Place) -> str:
    for prefix, title in _AREAS:
        if place.module == prefix or place.module.startswith(f"{prefix}."):
            return title
    raise SystemExit(f"scripts/reference/errors.py has no area for {place.module}")


def _section(code: str, uses: list[Place], explanation: str) -> str:
    kinds = sorted({kind.strip() for use in uses for kind in use.kind.split(",")})
    words = ", ".join(_kind(kind) for kind in kinds)
    lines = [f"### `{code}`\n", f"{words}\n"]
    for message, hints in _by_message(uses).items():
        lines.append(f"> {message}" if message else "> (the message says what was found)")
        lines += [f">\n> **Do:** {hint}" for hint in hints if hint]
        lines.append("")
    return "\n".join(lines) + (f"\n{explanation.strip()}\n" if explanation else "")


def _kind(name: str) -> str:
    return name if name in GROUPS else "Reason of a rollout" if name == "Reason" else "see the message"


def _by_message(uses: Iterable[Place]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for use in uses:
        hints = found.setdefault(use.message.replace("\n", " "), [])
        if use.hint not in hints:
            hints.append(use.hint)
    return found


def _problem_rows(uses: list[Place]) -> list[tuple[str, str, str, str]]:
    rows = {
        (f"`{use.code}`", "warning" if use.kind == "warn" else use.kind, use.message, use.hint)
        for use in uses
    }
    return sorted(rows)
