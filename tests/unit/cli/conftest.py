"""What the tests of the command line share: a controller of paper, and the program called in-process."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bluegreen.cli.main import cli
from tests.unit.cli import fake_controller as fake

Run = Callable[..., Result]


@pytest.fixture
def home() -> Iterator[Path]:
    """A state folder with a path short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        yield Path(folder)


@pytest.fixture
def controller(home: Path) -> Iterator[fake.FakeController]:
    with fake.running(home / "bluegreen.sock") as running:
        yield running


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Call the program; times are shown in UTC, nothing of the caller's environment leaks in."""
    for name in [name for name in os.environ if name.startswith("BLUEGREEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BLUEGREEN_HOME", str(home))
    with monkeypatch.context() as context:
        context.setenv("TZ", "UTC")
        time.tzset()
        yield lambda *args, **extra: CliRunner().invoke(cli, args, prog_name="bluegreen", **extra)
    time.tzset()
