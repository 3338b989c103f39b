"""What ``doctor`` finds of drivers: which are installed, by whom, whether they load, and what they reach."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from bluegreen.cli.findings import Row
from bluegreen.domain.errors import BluegreenError
from bluegreen.opening import checked_options, opened_registry, registry_options

GROUPS = ("runtimes", "balancers", "registries", "journals")


def drivers() -> Iterator[Row]:
    """Yield a row for each kind of driver, and one for each that does not load."""
    for group in GROUPS:
        found = sorted(entry_points(group=f"bluegreen.{group}"), key=lambda entry: entry.name)
        yield Row(group, "ok", ", ".join(f"{entry.name} ({_brought_by(entry)})" for entry in found) or "none")
        for entry in found:
            try:
                entry.load()
            except Exception as error:  # whatever a foreign package does as it is imported
                advice = f"Mend or remove the package: pip install --force-reinstall {_brought_by(entry)}"
                yield Row(f"driver {entry.name}", "bad", f"does not load: {error}", advice)


async def registry(url: str) -> list[Row]:
    """Return whether the registry at ``url`` can be used: what its driver says, else whether it answers."""
    try:
        name, options = registry_options(url)
        chosen = checked_options("registries", name, options)
        (entry,) = entry_points(group="bluegreen.registries", name=name)
        diagnose = getattr(import_module(entry.module), "diagnose", None)
        if diagnose is not None:
            return [Row(what, "ok" if well else "bad", told) for what, well, told in await diagnose(chosen)]
        async with opened_registry(url) as opened:
            await opened.list("doctor")
    except BluegreenError as error:
        return [Row("registry", "bad", error.message, error.hint)]
    return [Row("registry", "ok", f"{name} answers at {url.partition('?')[0]}")]


def _brought_by(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
