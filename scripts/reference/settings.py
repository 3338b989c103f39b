"""``reference/settings.md``: from the fields of :class:`bluegreen.settings.Settings`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bluegreen.settings import PREFIX, Settings
from reference.tables import made_from, table

_INTRODUCTION = """
# Settings of the controller

Read once, when `bluegreen serve` starts (or when `bluegreen up` starts one in the background). A flag wins
over its variable, a variable over the default. A value that makes no sense is refused at the start with
the code [`bad_setting`](errors.md#bad_setting), all of them at once; nothing is guessed.
"""

_FLAGS = {"home": "--state-dir"}
_DEFAULTS = {"home": "`/var/lib/bluegreen` for root, else `$XDG_STATE_HOME/bluegreen`"}

_OTHERS = """
## Options of drivers

Whatever opens a driver (`serve`, `balancer`, `discover`), each of its options is also the variable
`BLUEGREEN_<NAME>_<OPTION>`: `BLUEGREEN_CONSUL_DEADLINE` is the option `deadline` of `consul`,
`BLUEGREEN_FOLDER_EXPIRY` that of a driver `folder` which [another package](../howto/write-a-driver.md)
brings. In a name, `-` is written as `_`. A flag, and what a registry's URL says, win over the variable;
`BLUEGREEN_REGISTRY_TOKEN` is the secret of whatever registry is used. A bad option is refused by its full
path (`folder.expiry`).

## Variables of the command line

| variable | means |
|---|---|
| `BLUEGREEN_HOST` | address of the controller, as `--host`: `unix:///PATH` or `http://127.0.0.1:PORT` |
| `BLUEGREEN_HOME` | folder of the controller's data and socket, as `--state-dir` |
| `NO_COLOR` | anything: no colors |
| `BLUEGREEN_TRACEBACK` | anything: a bug ends in Python's traceback, for the report |
| `BLUEGREEN_DEMO_BASE` | base image with Python 3 for `bluegreen demo --runtime docker` |

## Docker's own variables

`DOCKER_HOST`, `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH` and `DOCKER_CONFIG` mean what they mean to the
`docker` command, and are those of the *controller*: set them where it starts.
"""


def render() -> str:
    flags = _flags()
    rows = [
        (
            f"`{name}`",
            f"`{PREFIX}{name.upper()}`",
            f"`{flags[name]}`" if name in flags else "",
            _values(field),
            _default(name, field),
            _sentence(field.description or ""),
        )
        for name, field in Settings.model_fields.items()
    ]
    headers = ("setting", "variable", "flag of `serve`", "values", "default", "what it does")
    source = "bluegreen.settings"
    return made_from(source) + _INTRODUCTION + "\n" + table(headers, rows) + _OTHERS


def _flags() -> dict[str, str]:
    """Return the flag of ``bluegreen serve`` for each setting that has one."""
    serve: click.Command = import_module("bluegreen.cli.serve").serve
    own = {p.name: p.opts[0] for p in serve.params if isinstance(p, click.Option) and p.name}
    return {name: own[name] for name in Settings.model_fields if name in own} | _FLAGS


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    if field.annotation in (float, Path):
        return "folder" if field.is_required() else "number" if field.annotation is float else "path"
    return "text"


def _default(name: str, field: FieldInfo) -> str:
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    return "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
