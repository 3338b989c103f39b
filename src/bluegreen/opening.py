"""Opens drivers: found by entry point, their options checked, every bad one named by its full path.

Used by the composition roots (:mod:`bluegreen.server`, :mod:`bluegreen.box`) and by ``discover``. A driver is
a package with a pydantic class ``Options`` and the opening function that its entry point names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from bluegreen.domain.errors import Permanent, UserError

REGISTRY_TOKEN = "BLUEGREEN_REGISTRY_TOKEN"


def opened(group: str, name: str, options: Mapping[str, object]) -> Any:
    """Return the context manager of the driver ``name``. ``None`` among the options is left out.

    Raises ``UserError`` (``bad_setting``), ``Permanent`` (``driver_missing``).
    """
    return _entry(group, name).load()(checked_options(group, name, options))


def checked_options(group: str, name: str, options: Mapping[str, object]) -> Any:
    """Return a driver's ``Options``. Raises as :func:`opened` does."""
    chosen = {key: value for key, value in options.items() if value is not None}
    try:
        return import_module(_entry(group, name).module).Options(**chosen)
    except ValidationError as error:
        raise UserError(
            f"the options of the driver {name} are not valid",
            code="bad_setting",
            evidence=tuple((f"{name}.{_path(e['loc'])}", str(e["msg"])) for e in error.errors()),
            hint="The settings are described in docs/reference/settings.md.",
        ) from error


def registry_options(url: str) -> tuple[str, dict[str, object]]:
    """Return the driver's name and the options that ``url`` gives it. Raises ``bad_setting``."""
    parts = urlsplit(url)
    if not parts.scheme or not (parts.netloc or parts.path.strip("/")):
        raise UserError(
            f"{url} is not the address of a registry",
            code="bad_setting",
            hint=f"Write it as SCHEME://HOST:PORT; known: {', '.join(installed('registries')) or 'none'}.",
        )
    query: dict[str, object] = dict(parse_qsl(parts.query))
    path = parts.path.strip("/") if parts.netloc else parts.path
    given = {"address": parts.netloc or None, "path": path or None}
    return parts.scheme, {"token": os.environ.get(REGISTRY_TOKEN), **given, **query}


def opened_registry(url: str) -> Any:
    """Return the context manager of the registry that ``url`` names: ``consul://HOST:PORT?prefix=…``.

    The scheme is the driver's name; its options are the address (``address``), the path (``path``, absolute
    where there is no address: ``folder:///srv/registry``) and the query's. A secret ``token`` comes from the
    variable ``BLUEGREEN_REGISTRY_TOKEN``.
    """
    name, options = registry_options(url)
    return opened("registries", name, options)


def installed(group: str) -> list[str]:
    """Return the names of the drivers of a group, whoever brought them."""
    return sorted({entry.name for entry in entry_points(group=f"bluegreen.{group}")})


def _entry(group: str, name: str) -> EntryPoint:
    for entry in entry_points(group=f"bluegreen.{group}", name=name):
        return entry
    raise Permanent(
        f"the driver {name} ({group}) is not installed",
        code="driver_missing",
        evidence=(("installed", ", ".join(installed(group)) or "none"),),
        hint="Check the name, or install the package that brings the driver.",
    )


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
