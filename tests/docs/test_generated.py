"""Generated pages are what the code says today, and say all of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click

from bluegreen.cli.main import cli
from bluegreen.settings import PREFIX, Settings
from bluegreen.stack import keys
from tests.docs.pages import REFERENCE, ROOT, text

SOURCE = ROOT / "src" / "bluegreen"
NOT_OURS = {"testing", "load", "sample"}


def test_generated_pages_are_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate-docs"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_every_setting_is_documented() -> None:
    page = text(REFERENCE / "settings.md")
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{name}` | `{PREFIX}{name.upper()}` |" in page, name


def test_every_verb_is_documented() -> None:
    page = text(REFERENCE / "cli.md")
    verbs = list(_verbs(cli, "bluegreen"))
    assert len(verbs) > 30
    assert [verb for verb in verbs if not re.search(rf"^#+ {re.escape(verb)}$", page, re.MULTILINE)] == []


def _verbs(command: click.Command, name: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for sub in command.list_commands(context):
        found = command.get_command(context, sub)
        assert found is not None, sub
        yield from _verbs(found, f"{name} {sub}")


def test_every_error_code_is_documented() -> None:
    """Looks for codes in its own way, so that the generator cannot overlook one for both."""
    page = text(REFERENCE / "errors.md")
    found = set()
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0] not in NOT_OURS:
            source = path.read_text(encoding="utf-8")
            found |= set(re.findall(r'\bcode="([a-z_]+)"', source))
            found |= set(re.findall(r'report\.(?:error|warn|info)\(\s*"([a-z_]+)"', source))
    assert len(found) > 100
    assert sorted(code for code in found if f"`{code}`" not in page) == []


def test_every_stack_key_is_documented() -> None:
    page = text(REFERENCE / "stack-file.md")
    assert [row.key for row in keys() if f"| `{row.key}` |" not in page] == []
