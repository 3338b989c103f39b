"""The reference page of the command line, made from the commands themselves. For ``scripts``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bluegreen.cli.lazy import LazyGroup, Verb, global_options
from bluegreen.cli.main import cli


def render() -> str:
    """Return ``docs/reference/cli.md`` as Markdown: every verb with options and examples."""
    root = click.Context(cli, info_name="bluegreen")
    lines = ["# The command line", "", (cli.help or "").strip().replace("\b\n", ""), "", *_globals(root)]
    for context in _commands(root):
        lines += _section(context)
    return "\n".join(lines).rstrip() + "\n"


def _commands(parent: click.Context) -> Iterator[click.Context]:
    """Yield every command of the tree, depth first, in the order of the catalog."""
    assert isinstance(parent.command, LazyGroup)
    for name in parent.command.list_commands(parent):
        command = parent.command.get_command(parent, name)
        assert command is not None, name
        context = click.Context(command, info_name=name, parent=parent)
        yield context
        if isinstance(command, LazyGroup):
            yield from _commands(context)


def _globals(root: click.Context) -> list[str]:
    return [
        "## Options of every verb",
        "",
        "They stand before or after the verb. `BLUEGREEN_HOST` and `BLUEGREEN_HOME` stand for `--host` and",
        "`--state-dir`; `NO_COLOR` switches colors off.",
        "",
        *_options(global_options(), root),
    ]


def _section(context: click.Context) -> list[str]:
    command = context.command
    level = "##" if context.parent is not None and context.parent.parent is None else "###"
    lines = [f"{level} {context.command_path}", "", _prose(command.help or ""), ""]
    if isinstance(command, Verb):
        usage = command.get_usage(context).removeprefix("Usage: ")
        lines += ["```", " ".join(usage.split()), "```", ""]
        lines += _options(_own(command), context)
        if command.examples:
            lines += ["```sh", *command.examples, "```", ""]
    return lines


def _own(command: Verb) -> list[click.Option]:
    shared = {tuple(option.opts) for option in global_options()}
    options = [param for param in command.params if isinstance(param, click.Option)]
    return [option for option in options if not option.hidden and tuple(option.opts) not in shared]


def _options(options: list[click.Option], context: click.Context) -> list[str]:
    records = [record for option in options if (record := option.get_help_record(context)) is not None]
    if not records:
        return []
    rows = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in records]
    return ["| option | meaning |", "|---|---|", *rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))
