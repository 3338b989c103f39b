"""Processes of a demo's folder are found and ended, and nobody else's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bluegreen.demo import leftovers
from tests.support.waiting import until

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {SLEEP}"
)


def spawn(folder: Path, how: str) -> subprocess.Popen[bytes]:
    output = folder / "log"
    with output.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", STUBBORN if how == "stubborn" else SLEEP],
            cwd=folder if how in ("cwd", "stubborn") else "/",
            stdout=log if how in ("output", "stubborn") else subprocess.DEVNULL,
            env={"BLUEGREEN_HOME": str(folder / "state")} if how == "environment" else {},
            start_new_session=True,
        )


@pytest.mark.parametrize("how", ["cwd", "output", "environment", "stubborn"])
def test_what_belongs_to_the_folder_is_ended(tmp_path: Path, how: str) -> None:
    process = spawn(tmp_path, how)
    try:
        asyncio.run(until(lambda: process.pid in [p.pid for p in leftovers.find(tmp_path)]))
        if how == "stubborn":
            asyncio.run(until(lambda: (tmp_path / "log").read_bytes()))
        leftovers.end(tmp_path)
        assert not psutil.pid_exists(process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_neighbour_with_a_similar_name_is_left_alone(tmp_path: Path) -> None:
    folder, neighbour = tmp_path / "demo", tmp_path / "demo-2"
    folder.mkdir()
    neighbour.mkdir()
    process = spawn(neighbour, "cwd")
    try:
        leftovers.end(folder)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
