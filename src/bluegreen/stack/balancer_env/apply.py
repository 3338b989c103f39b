"""Reads the environment of a balancer and of its linked services by the table of settings.

Called by :mod:`balancers`. The rule: a value that makes no sense is an error on the balancer; under a
name that applications use too (``OPTION``, ``COOKIE``) it is only a warning on a linked service, since
the old balancer read the application's own environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bluegreen.stack.balancer_env.draft import Draft, Place
from bluegreen.stack.balancer_env.table import SETTINGS, On, Setting, setting_for
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.tree import Report

_SHARED_NAMES = frozenset({"OPTION", "COOKIE", "BALANCE"})


def read_balancer(environment: Mapping[str, str], report: Report, mounts: Mapping[str, str]) -> Draft:
    """Return what the balancer's own environment says; problems go to ``report`` (at the service)."""
    draft = Draft()
    for setting, variable in _ordered(environment):
        if setting.on is On.SERVICE:
            report.warn(
                "setting_misplaced",
                f"{variable} is read from linked services only",
                "environment",
                variable,
                hint="set it on the linked service",
                key=True,
            )
        else:
            _apply(
                setting,
                variable,
                draft,
                Place(variable, environment, report.under("environment", variable), mounts),
            )
    _unknown(environment, report)
    return draft


def read_service(base: Draft, environment: Mapping[str, str], report: Report) -> tuple[Draft, frozenset[str]]:
    """Return ``base`` as changed by a linked service's environment, and the names that changed it."""
    draft, used = base.fork(), set()
    for setting, variable in _ordered(environment):
        if setting.on is On.BALANCER or not environment[variable]:
            continue
        place = Place(variable, environment, report.under("environment", variable), {})
        if _apply(setting, variable, draft, place, lenient=variable in _SHARED_NAMES) and setting.apply:
            used.add(variable)
    return draft, frozenset(used)


def _ordered(environment: Mapping[str, str]) -> list[tuple[Setting, str]]:
    found = [(setting_for(variable), variable) for variable in environment]
    known = [(setting, variable) for setting, variable in found if setting is not None]
    return sorted(known, key=lambda pair: (SETTINGS.index(pair[0]), pair[1]))


def _apply(setting: Setting, variable: str, draft: Draft, place: Place, *, lenient: bool = False) -> bool:
    value = place.environment[variable]
    if setting.apply is None:
        if not setting.quiet:
            place.report.warn("setting_ignored", f"{variable} is {setting.becomes}", key=True)
        return False
    if not value.strip():
        return False
    try:
        setting.apply(draft, value, place)
    except Invalid as invalid:
        tell = place.report.warn if lenient else place.report.error
        message = invalid.message if variable in invalid.message else f"{variable}: {invalid.message}"
        extra = "; taken as the application's own variable" if lenient else ""
        tell("bad_setting", message + extra, hint=invalid.hint)
        return False
    return True


def _unknown(environment: Mapping[str, str], report: Report) -> None:
    named = re.split(r"[,\s]+", environment.get("EXTRA_SSL_CERTS", ""))
    for variable in environment:
        if setting_for(variable) is None and variable not in named:
            names = [setting.name.rstrip("#_") for setting in SETTINGS if setting.on is not On.SERVICE]
            report.warn(
                "unknown_setting",
                f"{variable} means nothing to the balancer",
                "environment",
                variable,
                hint=suggest(variable, names),
                key=True,
            )
