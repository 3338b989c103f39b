"""The environment of one service: ``environment`` over ``env_file``, bare names filled in.

Called by :mod:`services` and :mod:`balancers`. A bare name that is not set where the file is loaded
is left out, as in both original clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bluegreen.stack.dotenv import read_env_file
from bluegreen.stack.models.compose import ComposeService
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report


def environment_of(service: CommonService, outer: Mapping[str, str], report: Report) -> dict[str, str]:
    """Return the variables of ``service``; ``outer`` is the environment of whoever loads the file."""
    values = _from_files(service, outer, report)
    for name, value in service.environment.items():
        if value is not None:
            values[name] = value
        elif name in outer:
            values[name] = outer[name]
    return values


def _from_files(service: CommonService, outer: Mapping[str, str], report: Report) -> dict[str, str]:
    values: dict[str, str] = {}
    if not isinstance(service, ComposeService):
        return values
    for index, entry in enumerate(service.env_file):
        mark = report.mark("env_file", index)
        path = Path(mark.file).parent / entry.path
        if path.is_file():
            values.update(read_env_file(path, {**outer, **values}, report.found))
        elif entry.required:
            hint = "create it, or write {path: …, required: false}"
            report.error(
                "file_unreadable", f"env_file: there is no file {entry.path!r}", "env_file", index, hint=hint
            )
    return values
