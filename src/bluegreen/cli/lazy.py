"""Commands that cost nothing until they are called.

A :class:`LazyGroup` knows its commands from a table (:mod:`bluegreen.cli.catalog`) and imports a
verb's module only when the verb runs; ``--help`` of a group is drawn from the table alone. A
:class:`Verb` is a command that takes the global options after its name too, and shows examples.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from bluegreen.cli.session import Session


class Entry(NamedTuple):
    """One command of a group: where it is, its line of help, and the heading it stands under."""

    place: str
    help: str
    heading: str = "Commands"


class LazyGroup(click.Group):
    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **{"no_args_is_help": False, **kwargs})
        self.entries = entries

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.place.partition(":")
        command: click.Command = getattr(import_module(f"bluegreen.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.entries and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.entries, n=1)
            ctx.fail(f"there is no command {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        headings: MutableMapping[str, list[tuple[str, str]]] = {}
        for name, entry in self.entries.items():
            headings.setdefault(entry.heading, []).append((name, entry.help))
        for heading, rows in headings.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


class Verb(click.Command):
    """A command that accepts ``--json`` and the other global options, and lists examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        taken = {option for param in self.params for option in param.opts}
        self.params += [option for option in global_options() if not taken & set(option.opts)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.examples))
        super().format_epilog(ctx, formatter)


def global_options() -> list[click.Option]:
    """Return the options that every verb takes, before or after its name."""

    def option(*names: str, **kwargs: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_remember, **kwargs)

    return [
        option("--json", is_flag=True, help="Print JSON: one document, or one per line for a stream."),
        option("--stack", metavar="NAME", help="Look for names in this stack only."),
        option(
            "--host",
            metavar="URL",
            help="Address of the controller: unix:///PATH, ssh://HOST or https://HOST:PORT.",
        ),
        option("--state-dir", metavar="DIR", help="Folder of the controller's data and socket."),
        option("-q", "--quiet", is_flag=True, help="Print results only, no messages."),
    ]


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep an option that was given; one that was not leaves what stood before the verb."""
    if value and param.name is not None:
        setattr(ctx.ensure_object(Session), param.name, value)


def verb(name: str, *examples: str, **settings: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Decorate a function as the verb ``name``; its docstring is the help."""
    return click.command(name, cls=Verb, examples=examples, **settings)


def group(name: str, entries: Mapping[str, Entry], help: str) -> LazyGroup:
    return LazyGroup(name, entries=entries, help=help)
