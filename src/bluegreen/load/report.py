"""A load result for people: a summary and a small plot that fit a terminal.

Called by ``bluegreen demo``, ``bench/`` and ``python -m bluegreen.load``. :func:`render` is pure: the
same result and style always give the same text, so golden tests can hold it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from bluegreen.load.result import Bin, Latency, Result, Switch

_LABEL = 9
_SCALE = 11
_MAX_VERSIONS = 4
_SHOWN = 5
_COLORS = ("32", "34", "36", "35")
_RED = "31"
_DIM = "2"


@dataclass(frozen=True, slots=True)
class Style:
    """How to draw. ``levels`` are a cell's fillings from empty to full; a lane is ``height`` cells high."""

    levels: str
    height: int
    marker: str
    arrow: str
    color: bool = False

    def fit(self, text: str, width: int) -> str:
        """Return ``text`` on one line of at most ``width`` characters that cannot steer a terminal."""
        if self.levels == ASCII.levels:
            text = text.replace(UNICODE.arrow, self.arrow).encode("ascii", "replace").decode()
        text = "".join(c if c.isprintable() else "?" for c in text)
        return text if len(text) <= width else text[: width - 2] + ".."

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text.strip() else text


UNICODE = Style(" ▁▂▃▄▅▆▇█", 2, "▲", "→")
COLOR = Style(UNICODE.levels, UNICODE.height, UNICODE.marker, UNICODE.arrow, color=True)
ASCII = Style(" .:-=+*#@", 1, "^", "->")


def style_for(stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> Style:
    """Return the style for a stream: plain ASCII unless it is a terminal that may be drawn on."""
    stream = sys.stdout if stream is None else stream
    environ = os.environ if environ is None else environ
    if not stream.isatty() or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return ASCII
    return COLOR if (stream.encoding or "").lower().startswith("utf") else ASCII


def render(result: Result, width: int = 80, style: Style = ASCII) -> str:
    """Return the report of a run, no line longer than ``width`` (at least 60) characters."""
    width = max(60, width)
    blocks = [
        _totals(result, width, style),
        *(_switch(seen, width, style) for seen in result.switches[:_SHOWN]),
    ]
    if len(result.switches) > _SHOWN:
        blocks.append([f"and {len(result.switches) - _SHOWN} more switches"])
    blocks += [_plot(result, width - _LABEL - _SCALE, style), _failures(result, width, style)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _totals(result: Result, width: int, style: Style) -> list[str]:
    rate = result.requests / result.duration_s if result.duration_s else 0
    failed = style.paint(f"{result.failed} failed", _RED if result.failed else "1;32")
    lines = [f"{result.requests:,} requests in {result.duration_s:.1f} s ({rate:,.0f}/s), {failed}"]
    for name, totals in result.classes.items():
        reasons = ", ".join(f"{count} {kind}" for kind, count in sorted(totals.failures.items()))
        spread = f"p50 {_ms(totals.latency.p50_ms)}  p99 {_ms(totals.latency.p99_ms)}"
        lines.append(style.fit(f"  {name:<10}{totals.requests:>8,}  {spread}  {reasons}".rstrip(), width))
    gap = f"  longest time without an answer {_ms(result.longest_gap_ms).strip()}"
    lines.append(gap + (f", {result.skipped:,} skipped" if result.skipped else ""))
    return lines


def _switch(seen: Switch, width: int, style: Style) -> list[str]:
    old, new = seen.old or "nothing", seen.new or "no other version"
    command = "" if seen.command_ms is None else f"command {_ms(seen.command_ms).strip()}, "
    first = "never" if seen.first_new_ms is None else f"after {_ms(seen.first_new_ms).strip()}"
    p99 = " / ".join(_p99(window) for window in (seen.before, seen.during, seen.after))
    lines = [
        f"{seen.name} at {seen.begin_ms / 1e3:.2f} s: {old} {style.arrow} {new}",
        f"  {seen.failed} failed of {seen.requests:,}; {command}first new answer {first}",
        f"  versions mixed for {_ms(seen.mixed_ms).strip()}; p99 before/during/after {p99} ms",
    ]
    return [style.fit(line, width) for line in lines]


def _p99(window: Latency) -> str:
    return f"{window.p99_ms:.1f}" if window.count else "-"


def _ms(value: float) -> str:
    return f"{value:7.1f} ms"


def _failures(result: Result, width: int, style: Style) -> list[str]:
    lines = []
    for failure in result.first_failures[:_SHOWN]:
        text = f"  {failure.at_ms / 1e3:8.3f} s  {failure.kind:<10}{failure.outcome}: {failure.detail}"
        lines.append(style.paint(style.fit(text, width), _RED))
    return ["first failures:", *lines] if lines else []


def _plot(result: Result, columns: int, style: Style) -> list[str]:
    """Draw one lane per version, one for failures if any, one each for p50 and p99, over time."""
    if not result.timeline or columns < 10:
        return []
    groups = _columns(result.timeline, columns)
    names = sorted(result.versions, key=lambda v: -result.versions[v])[:_MAX_VERSIONS]
    top = max((sum(_rate(group, name, result.bin_ms) for name in names) for group in groups), default=0.0)
    lines = [style.paint("requests per second, by version", _DIM)]
    for index, name in enumerate(sorted(names)):
        rates = [_rate(group, name, result.bin_ms) for group in groups]
        lines += _lane(
            style.fit(name or "(none)", _LABEL - 1),
            rates,
            top,
            f"{top:,.0f}/s",
            style,
            _COLORS[index % len(_COLORS)],
        )
    if result.failed:
        failed = [float(sum(b.failed for b in group)) for group in groups]
        lines += _lane("failed", failed, max(failed), f"{max(failed):,.0f}", style, _RED)
    lines.append(style.paint("latency of fast requests", _DIM))
    for label, pick in (("p50", _p50_of), ("p99", _p99_of)):
        values = [max(map(pick, group)) for group in groups]
        lines += _lane(label, values, max(values), f"{max(values):.1f} ms", style, "33")
    return [*lines, *_axis(result, len(groups), style)]


def _p50_of(slice_: Bin) -> float:
    return slice_.p50_ms


def _p99_of(slice_: Bin) -> float:
    return slice_.p99_ms


def _columns(timeline: Sequence[Bin], columns: int) -> list[Sequence[Bin]]:
    """Group the slices into exactly ``columns`` groups, each of at least one slice."""
    count = len(timeline)
    edges = [index * count // columns for index in range(columns + 1)]
    return [timeline[at : max(at + 1, edges[index + 1])] for index, at in enumerate(edges[:-1])]


def _rate(group: Sequence[Bin], version: str, bin_ms: float) -> float:
    return sum(b.versions.get(version, 0) for b in group) * 1e3 / (bin_ms * len(group))


def _lane(label: str, values: Sequence[float], top: float, scale: str, style: Style, color: str) -> list[str]:
    """Draw values as bars from 0 to ``top``; anything above 0 is visible."""
    steps = len(style.levels) - 1
    full = steps * style.height
    heights = [min(full, max(1, round(v / top * full))) if v > 0 and top > 0 else 0 for v in values]
    rows = []
    for row in reversed(range(style.height)):
        cells = "".join(style.levels[min(steps, max(0, height - row * steps))] for height in heights)
        first, last = row == style.height - 1, row == 0
        head = f"{label if last else '':<{_LABEL}}"
        rows.append((head + style.paint(cells, color) + (f" {scale}" if first else "")).rstrip())
    return rows


def _axis(result: Result, columns: int, style: Style) -> list[str]:
    cells = [" "] * columns
    for seen in result.switches:
        at = int(seen.begin_ms / 1e3 / result.duration_s * columns) if result.duration_s else 0
        cells[max(0, min(columns - 1, at))] = style.marker
    end = f"{result.duration_s:.1f} s"
    scale = " " * _LABEL + "0 s" + end.rjust(columns - 3)
    marks = " " * _LABEL + "".join(cells).rstrip()
    return [*([marks] if marks.strip() else []), scale]
