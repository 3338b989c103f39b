"""The soak for people: a plain text for the terminal, Markdown for the documentation. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.soak.faults import kinds
from bench.soak.figures import Line, lines, median_and_worst, total
from bench.soak.run import Soaked

_HEAD = ("fault", "times", "failed idempotent", "failed POSTs", "out of the pool", "healed")


def table(soaked: Soaked) -> tuple[Line, ...]:
    """Return the lines of one runtime, the total last."""
    happened = {one.kind for one in soaked.happenings}
    order = [kind.name for kind in kinds(soaked.runtime) if kind.name in happened]
    found = lines(order, soaked.happenings, soaked.losses)
    return (*found, total(found))


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.kind,
        str(line.times),
        _counts(line.idempotent),
        str(line.posts),
        median_and_worst(line.out),
        median_and_worst(line.heal),
    )


def _counts(counts: Mapping[str, int]) -> str:
    """Return the sum, and what it is made of."""
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())} ({parts})" if parts else "0"


def text(found: Sequence[Soaked], seed: int, facts: Mapping[str, str]) -> str:
    """Return a table for each runtime, and what failed how."""
    parts = []
    for one in found:
        rows = [_HEAD, *(_cells(line) for line in table(one))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        parts.append(f"{one.runtime}, {one.seconds:g} s, seed {seed}: {_requests(one)}")
        parts += ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        parts += [f"  {line.kind}: {_outcomes(line)}" for line in table(one)[:-1] if line.lost]
        parts += [f"  COMPLAINT: {complaint}" for complaint in one.complaints]
        parts.append("")
    parts.append(", ".join(f"{name} {value}" for name, value in facts.items()))
    return "\n".join(parts)


def _outcomes(line: Line) -> str:
    return ", ".join(f"{count} × {what}" for what, count in sorted(line.outcomes.items()))


def _requests(one: Soaked) -> str:
    if one.result is None:
        return "no load"
    kinds_of_users = ", ".join(f"{t.requests:,} {kind}" for kind, t in sorted(one.result.classes.items()))
    longest = max(t.latency.max_ms for t in one.result.classes.values()) / 1e3
    return (
        f"{one.result.requests:,} requests ({kinds_of_users}), {one.result.failed} failed; "
        f"the longest wait for a right answer was {longest:.1f} s"
    )


def markdown(found: Sequence[Soaked], seed: int, facts: Mapping[str, str], date: str, note: str) -> str:
    return ""
