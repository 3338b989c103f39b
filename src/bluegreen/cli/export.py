"""``export monit|haproxy|nginx``: what others are told who watch or balance what runs here."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bluegreen.cli import monit as monit_file
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import line_text
from bluegreen.cli.session import Session, pass_session
from bluegreen.cli.writing import replace_file, write_folder
from bluegreen.domain.errors import Temporary, UserError
from bluegreen.wire.client import path

RELOAD = 30.0
"""Seconds the command of ``--reload`` may take."""


@verb(
    "monit",
    "bluegreen export monit -o /etc/monit/conf.d/bluegreen",
    "bluegreen export monit --service web",
    "bluegreen export monit -o /etc/monit/conf.d/bluegreen --watch --reload 'monit reload'",
)
@click.option("--service", metavar="NAME", help="Instances of this service only.")
@click.option("-o", "--output", metavar="FILE", help="Write it to this file (mode 0600) in one step.")
@click.option(
    "--cycle",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Seconds of monit's cycle, as its `set daemon` says.",
)
@click.option("-w", "--watch", is_flag=True, help="Go on writing it as instances change; Ctrl-C ends.")
@click.option("--reload", metavar="COMMAND", help="Run this after each change of the file.")
@click.option("--every", type=click.FloatRange(min=0.1), default=1.0, hidden=True)
@pass_session
def monit(
    session: Session,
    service: str | None,
    output: str | None,
    cycle: float,
    watch: bool,
    reload: str | None,
    every: float,
) -> None:
    """Print a monit configuration for what runs now.

    Each instance is asked as the check of its service says. What fails is restarted by `bluegreen
    restart`: out of rotation, drained, stopped, started, in again; never the last one that serves.
    """
    if (watch or reload) and not output:
        raise click.UsageError("--watch and --reload need a file: give -o FILE.")
    writer = _Writer(session, service, cycle, output, reload)
    if not watch:
        writer.write()
        return
    try:
        while True:
            writer.write_again()
            time.sleep(every)
    except KeyboardInterrupt:
        session.say(f"{output} stays as it is, and is no longer kept up to date")


class _Writer:
    """Writes the file where it differs from what runs, and remembers whether monit was told."""

    def __init__(
        self, session: Session, service: str | None, cycle: float, output: str | None, reload: str | None
    ) -> None:
        self._session = session
        self._query = {**session.scope, "service": service}
        self._cycle = cycle
        self._output = Path(output) if output else None
        self._reload = shlex.split(reload or "")
        self._told = True
        self._lost = False

    def write(self, *, only_changes: bool = False) -> None:
        checks = self._session.client.get("/v1/checks", self._query)
        text = monit_file.render(checks, _program(self._session), self._cycle)
        if self._output is None:
            self._session.emit({"text": text, "checks": len(checks)}, text.rstrip("\n"))
            return
        changed = replace_file(self._output, text)
        if only_changes and not changed and self._told:
            return
        telling = bool(self._reload) and (changed or not self._told)
        self._told = self._tell() if telling else self._told
        document = {
            "file": str(self._output),
            "checks": len(checks),
            "reloaded": telling and self._told,
        }
        if self._session.json:
            click.echo(line_text(document))
        else:
            self._session.say(f"{self._output}: {len(checks)} instances")

    def write_again(self) -> None:
        """Write; leave the file as it is while the controller does not answer."""
        try:
            self.write(only_changes=True)
            self._lost = False
        except Temporary as error:
            if not self._lost:
                self._session.say(f"{error.message}; the file stays as it is. Trying again …", fg="yellow")
            self._lost = True

    def _tell(self) -> bool:
        """Run the command of ``--reload``; return whether it succeeded."""
        if not self._reload:
            return True
        try:
            done = subprocess.run(self._reload, capture_output=True, text=True, timeout=RELOAD, check=False)
            said = "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr.strip()}"
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        if said:
            self._session.say(f"{shlex.join(self._reload)} failed: {said}", fg="yellow")
        return not said


def _program(session: Session) -> list[str]:
    """Return what runs this program from anywhere, with an empty environment, on the same controller."""
    called = Path(sys.argv[0]).absolute()
    script = called.name in {"bluegreen", "docker-cloud"} and called.is_file()
    program = [str(called)] if script else [sys.executable, "-m", "bluegreen"]
    if session.chosen_host:
        return [*program, "--host", session.chosen_host]
    return [*program, "--state-dir", str(session.home)]


def _balancer_options(function: Any) -> Any:
    for option in (
        click.option("-o", "--output", metavar="DIR", help="Write it and the files it names to this folder."),
        click.option("-n", "--name", metavar="NAME", help="Name of the stack, with -f."),
        click.option(
            "-f",
            "--file",
            "paths",
            metavar="FILE",
            multiple=True,
            help="As this stack file would have it, not as it runs; may be repeated.",
        ),
    ):
        function = option(function)
    return function


@verb(
    "haproxy",
    "bluegreen export haproxy",
    "bluegreen export haproxy --stack shop -o haproxy",
    "bluegreen export haproxy -f stack.yml",
)
@_balancer_options
@pass_session
def haproxy(session: Session, paths: Sequence[str], name: str | None, output: str | None) -> None:
    """Print the HAProxy configuration for a dedicated box.

    With the servers and the shares of traffic of this moment. The files it names are printed as
    comments, certificates by name only; -o writes them all.
    """
    _export(session, "haproxy", paths, name, output)


@verb(
    "nginx",
    "bluegreen export nginx",
    "bluegreen export nginx --stack shop -o nginx",
    "bluegreen export nginx -f stack.yml --json",
)
@_balancer_options
@pass_session
def nginx(session: Session, paths: Sequence[str], name: str | None, output: str | None) -> None:
    """Print the NGINX configuration for a dedicated box.

    With the servers and the shares of traffic of this moment. What NGINX has no words for is said.
    The files it names are printed as comments, certificates by name only; -o writes them all.
    """
    _export(session, "nginx", paths, name, output)


def _export(
    session: Session, format: str, paths: Sequence[str], name: str | None, output: str | None
) -> None:
    found = _asked(session, format, paths, name)
    for warning in found["warnings"]:
        session.say(f"warning: {warning}", fg="yellow")
    if output:
        write_folder(Path(output), found["files"])
        folder = str(Path(output).absolute())
        found |= {"folder": folder, "command": found["command"].format(folder=shlex.quote(folder))}
        session.emit(found, f"{len(found['files'])} files in {folder}; run it: {found['command']}")
        return
    session.emit(found, lambda: _text(found))


def _asked(session: Session, format: str, paths: Sequence[str], name: str | None) -> dict[str, Any]:
    where = path("export", format)
    if not paths:
        if name:
            raise UserError("--name is for -f", code="usage", hint="Name a stack that runs with --stack.")
        running: dict[str, Any] = session.client.get(where, session.scope)
        return running
    from bluegreen.cli import files

    spec, _ = files.load(session, paths, name, ())
    planned: dict[str, Any] = session.client.post(where, files.document(spec))
    return planned


def _text(found: Mapping[str, Any]) -> str:
    """Return the main file, with what the others hold in comments after it. No key of a certificate."""
    main = found["main"]
    lines = [
        str(found["files"][main]).rstrip("\n"),
        "",
        f"# run it: {found['command'].format(folder='FOLDER')}",
    ]
    for name, text in found["files"].items():
        if name == main:
            continue
        secret = name.endswith((".pem", ".htpasswd"))
        lines.append(f"# FOLDER/{name}" + (": secret; -o DIR writes it" if secret else " holds:"))
        lines += [] if secret else [f"#   {line}".rstrip() for line in text.splitlines()]
    return "\n".join(lines)
