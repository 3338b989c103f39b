"""What ``doctor`` finds of drivers: which are installed, by whom, whether they load, and what they reach."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points

from bluegreen.cli.findings import Row
from bluegreen.domain.errors import BluegreenError
from bluegreen.opening import (
    GROUPS,
    brought_by,
    checked_options,
    entry_of,
    loaded,
    opened_registry,
    registry_options,
)

PATIENCE = 20.0
"""Seconds for a driver that knows no deadline of its own; those of ours are well below."""


def drivers() -> Iterator[Row]:
    """Yield a row for each kind of driver, and one for each that does not load or is there twice."""
    for group in GROUPS:
        found = sorted(entry_points(group=f"bluegreen.{group}"), key=lambda entry: entry.name)
        yield Row(group, "ok", ", ".join(f"{entry.name} ({brought_by(entry)})" for entry in found) or "none")
        for name in dict.fromkeys(entry.name for entry in found):
            yield from _trouble(group, [entry for entry in found if entry.name == name])


def _trouble(group: str, same: Sequence[EntryPoint]) -> Iterator[Row]:
    used = entry_of(group, same[0].name)
    if len(same) > 1:
        told = f"in {len(same)} packages; that of {brought_by(used)} is used"
        yield Row(f"driver {used.name}", "note", told, "Remove the packages that you do not mean.")
    try:
        loaded(used)
    except BluegreenError as error:
        yield _bad(f"driver {used.name}", error)


async def registry(url: str, patience: float = PATIENCE) -> list[Row]:
    """Return whether the registry at ``url`` can be used: what its driver says, else whether it answers.

    Never raises; gives up after ``patience`` seconds.
    """
    try:
        async with asyncio.timeout(patience):
            return await _registry(url)
    except BluegreenError as error:
        return [_bad("registry", error)]
    except TimeoutError:
        advice = "See whether it hangs; its driver should have told so by a deadline of its own."
        return [Row("registry", "bad", f"no answer within {patience:g} s", advice)]
    except Exception as error:  # a foreign driver that does not translate what its library raises
        advice = "Tell those who wrote the driver: it should have told this as an error of its own."
        return [Row("registry", "bad", f"{type(error).__name__}: {error}", advice)]


async def _registry(url: str) -> list[Row]:
    name, options = registry_options(url)
    chosen = checked_options("registries", name, options)
    diagnose = getattr(loaded(entry_of("registries", name)), "diagnose", None)
    if diagnose is not None:
        return [Row(what, "ok" if well else "bad", told) for what, well, told in await diagnose(chosen)]
    async with opened_registry(url) as opened:
        await opened.list("doctor")
    return [Row("registry", "ok", f"{name} answers at {url.partition('?')[0]}")]


def _bad(what: str, error: BluegreenError) -> Row:
    seen = "; ".join(f"{label}: {text}" for label, text in error.evidence)
    return Row(what, "bad", f"{error.message} ({seen})" if seen else error.message, error.hint)
