"""The script around CI's run: it hands the outcome on and leaves nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from tests.architecture.repository import ROOT

LEAVES_SOMETHING = """
setsid sh -c 'trap "" TERM; echo $$ > "$0/stubborn"; while :; do sleep 100; done' "$1" &
setsid sh -c 'echo $$ > "$0/gentle"; exec sleep 100' "$1" &
while ! [ -s "$1/stubborn" ] || ! [ -s "$1/gentle" ]; do sleep 0.01; done
exit "$2"
"""


def test_what_is_left_running_is_ended(tmp_path: Path) -> None:
    command = ["sh", "-c", LEAVES_SOMETHING, "sh", str(tmp_path), "3"]
    reaper = [sys.executable, str(ROOT / "scripts" / "run-and-reap"), *command]
    done = subprocess.run(reaper, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "left running, now ended:" in done.stderr
    for name in ("stubborn", "gentle"):
        assert not psutil.pid_exists(int((tmp_path / name).read_text()))


def test_a_command_that_was_killed_is_a_failure() -> None:
    reaper = [sys.executable, str(ROOT / "scripts" / "run-and-reap"), "sh", "-c", "kill -9 $$"]
    done = subprocess.run(reaper, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (137, "")
