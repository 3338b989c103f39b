"""The program's entry points, and the one place where an error becomes output and an exit code.

``bluegreen`` and ``docker-cloud`` are the same group. A verb returns its exit code, or nothing for 0,
and raises errors of :mod:`bluegreen.domain.errors`; nothing else ends the program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from bluegreen import __version__
from bluegreen.cli.catalog import ROOT
from bluegreen.cli.lazy import LazyGroup, global_options
from bluegreen.domain.errors import BluegreenError, Bug, UserError

INTERRUPTED = 130


class Root(LazyGroup):
    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run the program and exit with its code."""
        given = list(sys.argv[1:] if args is None else args)
        if os.environ.get("NO_COLOR"):
            extra["color"] = False
        extra["standalone_mode"] = False
        try:
            result = super().main(given, prog_name, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            _close_quietly()
            sys.exit(1)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)
        except (BluegreenError, click.ClickException) as error:
            sys.exit(_report(error, given))
        except Exception as error:
            if os.environ.get("BLUEGREEN_TRACEBACK"):
                raise
            sys.exit(_report(_bug(error), given))
        sys.exit(result if isinstance(result, int) else 0)


def _report(error: BluegreenError | click.ClickException, args: Sequence[str]) -> int:
    """Print the error, also as a document where one was asked for; return the exit code."""
    from bluegreen.cli.output import document_text, error_document, error_text

    usage = ""
    if isinstance(error, click.ClickException):
        usage, error = _usage(error)
    if "--json" in args:
        click.echo(document_text(error_document(error)))
    color = False if os.environ.get("NO_COLOR") else None  # click's context has ended
    if usage:
        click.echo(usage, err=True)
    click.echo(error_text(error.message, error.evidence, error.hint, error.code), err=True, color=color)
    return error.exit_code


def _usage(error: click.ClickException) -> tuple[str, UserError]:
    """Return the line of usage and our error for a command that cannot be parsed."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"See `{ctx.command_path} --help`." if ctx is not None else ""
    told = UserError(error.format_message(), code="usage", hint=hint)
    return (ctx.get_usage() if ctx is not None else ""), told


def _bug(error: Exception) -> Bug:
    import traceback

    where = traceback.extract_tb(error.__traceback__)[-1]
    return Bug(
        f"this should not happen: {type(error).__name__}: {error}",
        code="bug",
        evidence=(("at", f"{os.path.basename(where.filename)}:{where.lineno} in {where.name}"),),
        hint="Traffic is not affected. Run it again with BLUEGREEN_TRACEBACK=1 and report the output.",
    )


def _close_quietly() -> None:
    """Let nothing complain at exit that the reader of our output has gone."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())


@click.group(cls=Root, entries=ROOT, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="bluegreen", message="%(prog)s %(version)s")
def cli() -> None:
    """Zero-downtime releases of web services on your own hosts.

    A release is proved before it gets traffic, gets it in one step, and the way back stays warm.

    Exit codes: 0 promoted · 1 failed · 2 usage · 3 rolled back safely · 4 held for a human · 70 bug ·
    130 interrupted.
    """


cli.params += global_options()


def main() -> NoReturn:
    """Run the ``bluegreen`` command."""
    cli.main(prog_name="bluegreen")


def docker_cloud() -> NoReturn:
    """Run the same commands under Docker Cloud's old name, so that its scripts go on working."""
    cli.main(prog_name="docker-cloud")
