"""From stack files to the document that the API takes. The one place of the CLI that needs pydantic.

Used by ``up``, ``plan`` and ``check``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.session import Session
from bluegreen.domain.errors import UserError

if TYPE_CHECKING:
    from bluegreen.domain.stack import StackSpec
    from bluegreen.stack import Loaded, Problem

_COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}


def found(files: Sequence[str]) -> list[Path]:
    """Return the files that were named, else those of the folder. Raises ``UserError`` (``no_file``)."""
    from bluegreen.stack import find_files

    chosen = [Path(file) for file in files] or find_files(Path.cwd())
    if not chosen:
        raise UserError(
            f"there is no stack file in {Path.cwd()} or above it",
            code="no_file",
            hint="Name one with -f, or create bluegreen.yml.",
        )
    return chosen


def load(
    session: Session, files: Sequence[str], name: str | None, publish: Sequence[str]
) -> tuple[StackSpec, list[Problem]]:
    """Return the stack and what was found wrong with it, shown already (but for mere information).

    Raises ``UserError`` (``bad_stack``) with every problem when there is an error.
    """
    loaded = read(found(files), name or session.stack, publish)
    if loaded.spec is None:
        from bluegreen.stack import refused

        raise refused(loaded)
    told = [p for p in loaded.problems if p.severity != "info"]
    for problem in told:
        session.say(problem_text(problem))
    return loaded.spec, told


def read(files: Sequence[Path], name: str | None, publish: Sequence[str]) -> Loaded:
    """Read the files. Raises ``UserError`` (``bad_publish``) for a mapping that maps nothing."""
    from bluegreen.stack import load as load_stack

    ports = published(publish)
    loaded = load_stack(files, name=name, environment=os.environ, publish=ports)
    if loaded.spec is not None:
        _refuse_idle_mappings(loaded.spec, ports)
    return loaded


def _refuse_idle_mappings(spec: StackSpec, ports: Mapping[int, int]) -> None:
    listening = {listener.port for balancer in spec.balancers for listener in balancer.listeners}
    taken = listening | {p.host for service in spec.services for p in service.ports if p.host is not None}
    for before, after in ports.items():
        if after not in taken:
            known = ", ".join(map(str, sorted(taken))) or "none"
            raise UserError(
                f"--publish {before}={after} maps nothing: the stack does not use port {before}",
                code="bad_publish",
                hint=f"Ports that the stack uses: {known}.",
            )


def problem_text(problem: Problem) -> str:
    severity = click.style(str(problem.severity), fg=_COLORS[problem.severity], bold=True)
    text = f"{problem.place}: {severity}: {problem.message}"
    return text + (click.style(f"\n    → {problem.hint}", fg="cyan") if problem.hint else "")


def problem_document(problem: Problem) -> dict[str, Any]:
    from dataclasses import asdict

    return {key: value for key, value in asdict(problem).items()} | {"severity": str(problem.severity)}


def published(pairs: Sequence[str]) -> dict[int, int]:
    """Return ``80=18080`` (also ``80:18080``) as numbers. Raises ``UserError`` (``bad_publish``)."""
    ports = {}
    for pair in pairs:
        before, _, after = pair.replace(":", "=").partition("=")
        if not all(port.isdecimal() and 0 < int(port) < 65536 for port in (before, after)):
            raise UserError(
                f"--publish {pair} is not a pair of ports",
                code="bad_publish",
                hint="Give the file's port and the one to use instead: --publish 80=18080.",
            )
        ports[int(before)] = int(after)
    return ports


def document(spec: StackSpec) -> dict[str, Any]:
    """Return the stack as the API takes it."""
    from pydantic import TypeAdapter

    dumped: dict[str, Any] = TypeAdapter(type(spec)).dump_python(spec, mode="json")
    return dumped


def environment(pairs: Sequence[str], files: Sequence[str] = ()) -> dict[str, str]:
    """Return ``K=V`` pairs; a bare ``K`` comes from this shell. Raises ``UserError`` (``bad_variable``)."""
    values: dict[str, str] = {}
    for line in (*_variables(files), *pairs):
        key, given, value = line.partition("=")
        if not given and key in os.environ:
            value, given = os.environ[key], "="
        if not key or not given:
            raise UserError(
                f"{line!r} sets no variable",
                code="bad_variable",
                hint="Give NAME=VALUE, or the NAME of a variable that is set in this shell.",
            )
        values[key] = value
    return values


def _variables(files: Sequence[str]) -> list[str]:
    lines = []
    for file in files:
        try:
            text = Path(file).read_text()
        except OSError as error:
            raise UserError(
                f"cannot read {file}: {error.strerror}",
                code="no_file",
                hint="Give a file of NAME=VALUE lines.",
            ) from error
        lines += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return lines
