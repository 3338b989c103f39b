"""Every command that a page shows is one that the program takes."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from bluegreen.cli.main import cli
from tests.docs.pages import Command, commands, pages, spans

_SETTING = re.compile(r"[A-Z_]+=\S*")
_OPTION = re.compile(r"--?[a-z][a-z-]*")

SHOWN = [command for page in pages() for command in commands(page)]
OURS = [c for c in SHOWN if re.match(r"([A-Z_]+=\S+ )*bluegreen\b", c.words)]
MENTIONED = list(dict.fromkeys(command for page in pages() for command in spans(page)))


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that ``words`` name and what is left for it."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        found = command.get_command(click.Context(command), rest[0])
        if found is None:
            break
        command, rest = found, rest[1:]
    return command, rest


def test_pages_show_commands() -> None:
    assert len(OURS) > 40
    assert len(MENTIONED) > 20


@pytest.mark.parametrize("shown", OURS, ids=str)
def test_a_shown_command_can_be_parsed(shown: Command) -> None:
    words = shlex.split(shown.words.partition("#")[0] if " #" in shown.words else shown.words)
    while _SETTING.fullmatch(words[0]):
        words = words[1:]
    command, rest = find(words[1:])
    assert not isinstance(command, click.Group), f"{shown}: no such verb"
    assert command.make_context(command.name, rest)


@pytest.mark.parametrize("mentioned", MENTIONED, ids=str)
def test_a_mentioned_command_exists(mentioned: Command) -> None:
    command, rest = find(mentioned.words.split()[1:])
    of_the_root = bool(rest) and all(_OPTION.fullmatch(word) for word in rest)
    assert command is not cli or of_the_root, f"{mentioned}: no such verb"
    options = [(*param.opts, *param.secondary_opts) for param in command.params]
    known = {option for names in options for option in names} | {"--help"}
    assert [word for word in rest if _OPTION.fullmatch(word) and word not in known] == []
