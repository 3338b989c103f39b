"""How things look: documents, tables, errors. Draws with spaces and click's styles only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import click

from bluegreen.domain.errors import BluegreenError


def document_text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def line_text(document: Any) -> str:
    """Return a document as one line, for streams."""
    return json.dumps(document, ensure_ascii=False)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> str:
    """Return columns two spaces apart; cells may be styled. ``empty`` where there is no row."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return empty
    lines = [[click.style(h.upper(), bold=True) if h else h for h in headers], *cells]
    widths = [max(len(click.unstyle(line[i])) for line in lines) for i in range(len(headers))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def colored(color: str) -> str:
    """Return the name of a color, in that color."""
    return click.style(color, fg=color) if color in {"blue", "green"} else color or "-"


def clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else "-"


def span(seconds: float) -> str:
    """Return a duration for people: ``40 ms``, ``1.4 s``, ``3 min 20 s``, ``5 h 2 min``, ``3 d 1 h``."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    units = (("s", 1), ("min", 60), ("h", 3600), ("d", 86400))
    for (lower, small), (upper, large) in pairwise(units):
        if seconds < large * 60 or upper == "d":
            return f"{int(seconds // large)} {upper} {int(seconds % large // small)} {lower}"
    return ""


def error_document(error: BluegreenError) -> dict[str, Any]:
    return {
        "error": {
            "message": error.message,
            "code": error.code,
            "group": error.group,
            "exit_code": error.exit_code,
            "evidence": [{"label": label, "text": text} for label, text in error.evidence],
            "hint": error.hint,
        }
    }


def error_text(message: str, evidence: Iterable[Sequence[str]] = (), hint: str = "", code: str = "") -> str:
    """Return an error for people: what, what was seen, what to do, its code."""
    lines = [click.style("error: ", fg="red", bold=True) + message]
    for label, text in evidence:
        first, *more = text.splitlines() or [""]
        lines += [f"    {label}: {first}", *(f"      {line}" for line in more)]
    if hint:
        lines.append(click.style(f"  → {hint}", fg="cyan"))
    if code:
        lines.append(click.style(f"  [{code}]", dim=True))
    return "\n".join(lines)


def reason_text(rollout: Mapping[str, Any]) -> str:
    """Return why a rollout did not end as asked, from its document."""
    outcome, reason = rollout["outcome"], rollout.get("reason") or {}
    message = f"{rollout['service']}: {outcome['message']}"
    if reason:
        message += f": {reason['message']}"
    return error_text(message, reason.get("evidence", ()), reason.get("hint", ""), reason.get("code", ""))
