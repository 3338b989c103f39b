"""Turns an instance into what is executed: argv with its placeholders filled, and the environment.

The environment is what the stack says, plus ``PATH``, ``HOME``, ``LANG`` of the controller, the
assigned ``PORT``, the links, and ``BLUEGREEN_*``. Nothing else of the controller's leaks.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.domain.errors import UserError
from bluegreen.domain.instance import InstanceSpec
from bluegreen.domain.spec import ProcessSpec, ServiceSpec

INHERITED = ("PATH", "HOME", "LANG")
_PLACEHOLDER = re.compile(r"\{(port|python|release|instance|image|tag)\}")


def process_of(spec: ServiceSpec) -> ProcessSpec:
    """Return how to run the service as a process. Raises ``UserError`` (``no_command``)."""
    if spec.process is None or not spec.process.command:
        raise UserError(
            f"{spec.name} does not say what to run as a process",
            code="no_command",
            hint="Add `x-bluegreen: {process: {command: …}}` to the service, or use the Docker runtime.",
        )
    return spec.process


def check_command(spec: ServiceSpec) -> None:
    """Raise ``UserError`` (``no_command``, ``command_missing``, ``directory_missing``)."""
    process = process_of(spec)
    directory = process.directory or "."
    if not os.path.isdir(directory):
        raise UserError(
            f"{spec.name} is to run in {directory}, which is no folder",
            code="directory_missing",
            hint="Create it, or change `directory` of the service's process.",
        )
    program = process.command[0].replace("{python}", sys.executable)
    path = spec.environment.get("PATH", os.environ.get("PATH", os.defpath))
    sought = os.path.join(directory, program) if "/" in program else program
    if shutil.which(sought, path=path) is None:
        there = os.path.isfile(sought) and "/" in program
        raise UserError(
            f"{spec.name} is to run {program}, which {'is not executable' if there else 'cannot be found'}",
            code="command_missing",
            hint=f"Make it so: chmod +x {sought}"
            if there
            else "Install it, give its full path, or use {python} for this Python.",
            evidence=(("command", " ".join(process.command)), ("PATH", path)),
        )


def signal_number(name: str, whose: str) -> int:
    """Return the number of ``TERM``, ``SIGTERM`` or ``15``. Raises ``UserError`` (``bad_signal``).

    ``whose`` it is stands in the message: a service's or an instance's name.
    """
    text = name.upper().removeprefix("SIG")
    try:
        return signal.Signals(int(text)) if text.isdecimal() else signal.Signals[f"SIG{text}"]
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{whose}: there is no signal {name}",
            code="bad_signal",
            hint="Name one of `kill -l`, such as TERM, INT or QUIT.",
        ) from error


def stop_signal(spec: ServiceSpec) -> int:
    return signal_number(spec.stop_signal, spec.name)


def command_line(instance: InstanceSpec, port: int) -> tuple[str, ...]:
    """Return argv. Braces that are no placeholder of ours stay as they are."""
    values = {
        "port": str(port),
        "python": sys.executable,
        "release": str(instance.release),
        "instance": instance.name,
        "image": instance.image,
        "tag": image_tag(instance.image),
    }
    command = process_of(instance.spec).command
    return tuple(_PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in command)


def image_tag(image: str) -> str:
    """Return the tag of an image reference: ``0.0.2`` of ``host:5000/team/app:0.0.2@sha256:…``."""
    name = image.partition("@")[0].rpartition("/")[2]
    _, colon, tag = name.partition(":")
    return tag if colon else ("latest" if name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A reachable instance behind a link. ``exposed`` is the port its service says it has."""

    alias: str
    exposed: int
    host: str
    port: int


def environment(instance: InstanceSpec, port: int, linked: Sequence[Linked]) -> dict[str, str]:
    """Return the whole environment of the instance's process."""
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    own = {
        "PORT": str(port),
        "BLUEGREEN_STACK": instance.stack,
        "BLUEGREEN_SERVICE": instance.service,
        "BLUEGREEN_INSTANCE": instance.name,
        "BLUEGREEN_RELEASE": str(instance.release),
        "BLUEGREEN_COLOR": instance.color or "",
    }
    return inherited | _link_variables(linked) | dict(instance.spec.environment) | own


def _link_variables(linked: Sequence[Linked]) -> dict[str, str]:
    """Return ``DB_…`` for the first instance behind each alias, and ``DB_1_…`` for every one.

    ``DB_HOST`` and ``DB_PORT`` are plain, as programs expect today (Docker's links had
    ``DB_PORT=tcp://…``); ``DB_PORT_3000_TCP_ADDR`` and its like are as Docker's.
    """
    variables: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for target in linked:
        alias = re.sub(r"[^A-Z0-9]", "_", target.alias.upper())
        seen[alias] += 1
        for name in (f"{alias}_{seen[alias]}", *([alias] if seen[alias] == 1 else [])):
            docker = f"{name}_PORT_{target.exposed}_TCP"
            variables |= {
                f"{name}_HOST": target.host,
                f"{name}_PORT": str(target.port),
                docker: f"tcp://{target.host}:{target.port}",
                f"{docker}_ADDR": target.host,
                f"{docker}_PORT": str(target.port),
                f"{docker}_PROTO": "tcp",
            }
    return variables
