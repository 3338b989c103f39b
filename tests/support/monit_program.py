"""The real monit in a folder of its own: control file, pid, state and id are within."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.waiting import until

BARE = {"PATH": "/bin:/usr/bin"}
"""monit's environment: what it runs may count on nothing."""


def control_file(folder: Path, included: Path) -> Path:
    """Write a control file that looks every second and includes ``included``."""
    path = folder / "monitrc"
    lines = ["set daemon 1", f"set log {folder}/monit.log"]
    lines += [f'set {name}file "{folder}/monit.{name}"' for name in ("pid", "state", "id")]
    lines += [f'set httpd unixsocket "{folder}/monit.sock" allow any:thing', f'include "{included}"']
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def judge(folder: Path, text: str) -> None:
    """Fail the test unless ``monit -t`` accepts the text."""
    included = folder / "bluegreen"
    included.write_text(text)
    included.chmod(0o600)
    command = ["monit", "-t", "-c", str(control_file(folder, included))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=BARE)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{text}"
    assert "Control file syntax OK" in done.stdout


@asynccontextmanager
async def running(folder: Path, included: Path) -> AsyncIterator[Path]:
    """Run monit on ``included``; yield its log, which says that it has begun."""
    log = folder / "monit.log"
    command = ["monit", "-I", "-c", str(control_file(folder, included))]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=BARE
    )
    try:
        await until(lambda: log.exists() and "started" in log.read_text())
        yield log
    finally:
        process.terminate()
        process.wait(10)
