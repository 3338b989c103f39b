"""The table of verbs agrees with the verbs; all of them keep the rules of the house."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from bluegreen.cli.catalog import ROOT
from bluegreen.cli.elsewhere import instead
from bluegreen.cli.lazy import LazyGroup, Verb
from bluegreen.cli.main import cli
from bluegreen.cli.reference import render
from bluegreen.cli.serve import serve
from bluegreen.settings import Settings
from tests.unit.cli.conftest import Run

HEAVY = ("pydantic", "asyncio", "httpx", "aiohttp", "rich", "yaml", "sqlalchemy", "fastapi")
VERBS_ISSUE = (
    "demo up down plan deploy switch rollback service stack container status ps logs events history "
    "inspect drain force restart ready maintenance scale abort check schema doctor completion serve"
)


def _walk(
    group: LazyGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, click.Command]]:
    context = click.Context(group)
    for name, entry in group.entries.items():
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), entry.help, command
        if isinstance(command, LazyGroup):
            yield from _walk(command, (*path, name))


ALL = list(_walk(cli))
VERBS = [(" ".join(path), command) for path, _, command in ALL if isinstance(command, Verb)]


@pytest.mark.parametrize(
    ("path", "help", "command"), ALL, ids=lambda v: " ".join(v) if isinstance(v, tuple) else ""
)
def test_the_line_of_help_in_the_table_is_that_of_the_verb(
    path: tuple[str, ...], help: str, command: click.Command
) -> None:
    assert command.get_short_help_str(limit=200) == help, path
    assert len(help) <= 70, path


@pytest.mark.parametrize(("name", "command"), VERBS, ids=[name for name, _ in VERBS])
def test_every_verb_takes_json_and_shows_examples(name: str, command: Verb, run: Run) -> None:
    assert any("--json" in param.opts for param in command.params)
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    if "not offered" not in (command.help or "").lower():
        assert command.examples, f"{name} has no example"
        assert all(example in result.stdout for example in command.examples)


def test_every_verb_of_the_plan_is_there() -> None:
    assert not set(VERBS_ISSUE.split()) - set(ROOT)


def test_every_option_says_what_it_means() -> None:
    silent = [
        (name, param.opts)
        for name, command in VERBS
        for param in command.params
        if isinstance(param, click.Option) and not param.hidden and not param.help
    ]
    assert silent == []


def test_every_setting_is_a_flag_of_serve_but_no_secret_is() -> None:
    flags = {param.name for param in serve.params}
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secret == {"notify_url", "notify_secret"}
    assert set(Settings.model_fields) - flags == secret | {"home"}, "home is --state-dir"


@pytest.mark.parametrize("example", sorted({e for _, verb in VERBS for e in verb.examples}))
def test_every_example_can_be_parsed(example: str) -> None:
    words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
    words = words[: next((n for n, word in enumerate(words) if word in {">", "|"}), len(words))]
    assert words.pop(0) == "bluegreen"
    command: click.Command = cli
    while isinstance(command, LazyGroup):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, example
        command = found
    command.make_context(command.name, words).close()


def test_the_reference_has_every_verb_option_and_example() -> None:
    page = render()
    for name, command in VERBS:
        assert f"# bluegreen {name}\n" in page, name
        assert all(example in page for example in command.examples), name


def test_a_refused_command_says_what_to_use(run: Run) -> None:
    result = run("service", "run", "-p", "80:80", "nginx")
    assert result.exit_code == 2
    assert "`bluegreen service run` is not offered" in result.stderr
    assert "bluegreen up -f FILE" in result.stderr
    assert isinstance(instead("x", "y", "z"), Verb)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["service", "--help"],
        ["status"],
        ["ps"],
        ["switch", "lbx", "webx-blue"],
        ["rollback", "web"],
        ["deploy", "web"],
        ["service", "set", "--link", "a:b", "lbx"],
        ["service", "redeploy", "lbx"],
        ["service", "ps"],
        ["history"],
        ["events"],
    ],
    ids=" ".join,
)
def test_what_people_wait_for_imports_nothing_heavy(arguments: list[str]) -> None:
    """Start-up is the price of every call: DESIGN, section 9, sets it to 8 and 15 times `python -c pass`."""
    script = (
        "import sys\n"
        "from bluegreen.cli.main import cli\n"
        "try:\n"
        f"    cli.main({arguments!r}, prog_name='bluegreen')\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"BLUEGREEN_HOME": "/nonexistent", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
