"""Opens drivers: found by entry point, their options checked, every bad one named by its full path.

Used by the composition roots (:mod:`bluegreen.server`, :mod:`bluegreen.box`) and by ``discover``. A driver is
a package with a pydantic class ``Options`` and the opening function that its entry point names.

Whatever is opened, by whichever of them: each option of a driver may come from the variable
``BLUEGREEN_<NAME>_<OPTION>``, so that drivers which no setting knows of can be set like the others.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import ValidationError

from bluegreen.domain.errors import Permanent, UserError
from bluegreen.settings import PREFIX, Settings

REGISTRY_TOKEN = "BLUEGREEN_REGISTRY_TOKEN"
GROUPS = ("runtimes", "balancers", "registries", "journals")


def opened(group: str, name: str, options: Mapping[str, object]) -> Any:
    """Return the context manager of the driver ``name``; options as for :func:`checked_options`.

    Raises ``UserError`` (``bad_setting``), ``Permanent`` (``driver_missing``, ``driver_broken``).
    """
    entry = entry_of(group, name)
    module = loaded(entry)
    return getattr(module, entry.attr)(checked_options(group, name, options))


def checked_options(group: str, name: str, options: Mapping[str, object]) -> Any:
    """Return a driver's ``Options``: ``options``, and for what they leave open its variables.

    ``None`` among the options is left out, and so is a ``state_dir`` that the driver has no option for.
    Raises as :func:`opened` does.
    """
    accepted = loaded(entry_of(group, name)).Options
    chosen = {key: value for key, value in options.items() if value is not None}
    if "state_dir" not in accepted.model_fields:
        chosen.pop("state_dir", None)
    try:
        return accepted(**{**variables(name, os.environ, accepted.model_fields), **chosen})
    except ValidationError as error:
        raise UserError(
            f"the options of the driver {name} are not valid",
            code="bad_setting",
            evidence=tuple((f"{name}.{_path(e['loc'])}", str(e["msg"])) for e in error.errors()),
            hint="The settings are described in docs/reference/settings.md; an option of a driver is also "
            f"the variable {_prefix(name)}OPTION.",
        ) from error


def variables(name: str, environment: Mapping[str, str], options: Collection[str] = ()) -> dict[str, str]:
    """Return the options that variables give to the driver ``name``: ``BLUEGREEN_<NAME>_<OPTION>``.

    A setting of the controller is among them only if the driver has such an option (``options``), as on a box
    nobody else reads it; never what belongs to a driver with a longer name (``BLUEGREEN_FOLDER_FAST_PATH`` is
    no option of ``folder`` where ``folder-fast`` is installed).
    """
    prefix = _prefix(name)
    own = {PREFIX + field.upper() for field in Settings.model_fields} - {prefix + o.upper() for o in options}
    given = {k: v for k, v in environment.items() if k.startswith(prefix) and v and k not in own}
    given.pop(REGISTRY_TOKEN, None)
    if not given:
        return {}
    known = {_prefix(other) for group in GROUPS for other in installed(group)}
    longer = tuple(p for p in known if p.startswith(prefix) and p != prefix)
    return {k.removeprefix(prefix).lower(): v for k, v in given.items() if not k.startswith(longer)}


def registry_options(url: str) -> tuple[str, dict[str, object]]:
    """Return the driver's name and the options that ``url`` gives it. Raises ``bad_setting``."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _no_address(url, str(error)) from error
    if not parts.scheme or not (parts.netloc or (parts.path[:1] == "/" and parts.path.strip("/"))):
        raise _no_address(url)
    query: dict[str, object] = dict(parse_qsl(parts.query))
    path = unquote(parts.path.strip("/") if parts.netloc else parts.path)
    given = {"address": parts.netloc or None, "path": path or None}
    return parts.scheme, {"token": os.environ.get(REGISTRY_TOKEN), **given, **query}


def _no_address(url: str, why: str = "") -> UserError:
    known = ", ".join(installed("registries")) or "none"
    return UserError(
        f"{url} is not the address of a registry",
        code="bad_setting",
        evidence=(("because", why),) if why else (),
        hint=f"Write it as SCHEME://HOST:PORT or SCHEME:///PATH, as its driver wants it; known: {known}.",
    )


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


def entry_of(group: str, name: str) -> EntryPoint:
    """Return a driver's entry point, the first where several packages bring it. Raises ``driver_missing``."""
    for entry in entry_points(group=f"bluegreen.{group}", name=name):
        return entry
    raise Permanent(
        f"the driver {name} ({group}) is not installed",
        code="driver_missing",
        evidence=(("installed", ", ".join(installed(group)) or "none"),),
        hint="Check the name, or install the package that brings the driver.",
    )


def loaded(entry: EntryPoint) -> ModuleType:
    """Return the module of a driver, which has all that a driver needs. Raises ``driver_broken``."""
    try:
        entry.load()
        module = import_module(entry.module)
        _ = module.Options.model_fields
    except Exception as error:  # whatever a foreign package does as it is imported
        raise Permanent(
            f"the driver {entry.name} does not load",
            code="driver_broken",
            evidence=(("package", brought_by(entry)), (type(error).__name__, str(error))),
            hint="Install the package that brings it again, with what it needs, or remove it.",
        ) from error
    return module


def brought_by(entry: EntryPoint) -> str:
    """Return the distribution that brings a driver, and its version."""
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _prefix(name: str) -> str:
    return f"{PREFIX}{name.upper().replace('-', '_')}_"


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
