"""``check`` and ``schema``: stack files, without a controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from bluegreen.cli import files
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import document_text
from bluegreen.cli.session import Session, pass_session


@verb(
    "check",
    "bluegreen check",
    "bluegreen check stack.yml stack.override.yml",
    "bluegreen check --json stack.yml",
)
@click.argument("paths", metavar="[FILE]...", nargs=-1)
@click.option("-f", "--file", "more", metavar="FILE", multiple=True, help="The same as an argument.")
@click.option("-n", "--name", metavar="NAME", help="Name of the stack.")
@click.option("--publish", metavar="PORT=PORT", multiple=True, help="As with `up`.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@pass_session
def check(
    session: Session,
    paths: Sequence[str],
    more: Sequence[str],
    name: str | None,
    publish: Sequence[str],
    strict: bool,
) -> int:
    """Report every problem of a stack file at once.

    Several files are one stack: later ones override earlier ones. Exit code 2 if there is an error.
    """
    chosen = files.found([*paths, *more])
    loaded = files.read(chosen, name or session.stack, publish)
    wrong = [p for p in loaded.problems if p.severity == "error" or (strict and p.severity == "warning")]
    found = {
        "ok": not wrong,
        "stack": loaded.spec.name if loaded.spec is not None else None,
        "files": [str(path) for path in chosen],
        "problems": [files.problem_document(p) for p in loaded.problems],
    }
    shown = [files.problem_text(p) for p in loaded.problems]
    session.emit(found, lambda: "\n".join([*shown, _verdict(found, len(wrong))]))
    return 2 if wrong else 0


def _verdict(found: Mapping[str, object], wrong: int) -> str:
    if wrong:
        return f"{wrong} error{'s' if wrong != 1 else ''}"
    return f"stack {found['stack']}: " + click.style("good", fg="green")


@verb("schema", "bluegreen schema > bluegreen.schema.json")
@pass_session
def schema(session: Session) -> None:
    """Print the JSON Schema of stack files, for editors.

    Covers both dialects; put `# yaml-language-server: $schema=FILE` on a stack file's first line.
    """
    from bluegreen.stack import schema as make

    found = make()
    session.emit(found, lambda: document_text(found))
