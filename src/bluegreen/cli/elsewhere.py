"""Docker Cloud's commands that are not offered: each says what to use instead, with exit code 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from bluegreen.cli.lazy import Verb
from bluegreen.domain.errors import UserError

_ANYTHING = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def instead(name: str, help: str, hint: str) -> Verb:
    """Return a command that takes any arguments and says what to use instead of it."""

    def refuse(arguments: Sequence[str]) -> None:
        command = click.get_current_context().command_path
        raise UserError(f"`{command}` is not offered", code="not_offered", hint=hint)

    rest: Any = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    return Verb(name, callback=refuse, params=[rest], help=help, context_settings=_ANYTHING, examples=())


_FILE = "Declare the service in a stack file, then `bluegreen up -f FILE`."
_DECLARED = "Not offered: services are declared in a stack file."

service_create = instead("create", _DECLARED, _FILE)
service_run = instead("run", _DECLARED, _FILE)
stack_create = instead(
    "create", "Not offered: use `stack up`.", "`bluegreen stack up -f FILE -n NAME` creates and starts it."
)
container_start = instead(
    "start",
    "Not offered: start the service.",
    "bluegreen keeps instances running: `bluegreen service start SERVICE`.",
)
container_stop = instead(
    "stop",
    "Not offered: drain it, or scale its service.",
    "Take it out of rotation: `bluegreen drain INSTANCE`. Have fewer: `bluegreen scale SERVICE N`.",
)
container_terminate = instead(
    "terminate", "Not offered: scale its service.", "Have fewer instances: `bluegreen scale SERVICE N`."
)
container_redeploy = instead(
    "redeploy",
    "Not offered: redeploy its service.",
    "An instance belongs to a release: `bluegreen service redeploy SERVICE`.",
)
