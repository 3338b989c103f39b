"""Starting a controller in the background, and ending one. Used by ``up`` and ``down``.

The controller gets a session of its own, so that it outlives the terminal; its output goes to a log in
its state folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bluegreen.cli.session import Session
from bluegreen.domain.errors import Permanent, Temporary, UserError
from bluegreen.locations import LOG

START = 30.0
"""Seconds a controller may take until it answers."""

END = 15.0
"""Seconds it may take to end."""


def ensure(session: Session, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return what answers as ``about``; start a controller with ``flags`` if none does.

    Raises ``Temporary`` (``no_controller``) where an address was given and nothing answers there, and
    ``Permanent`` (``controller_start_failed``) with the end of its log.
    """
    try:
        return about(session)
    except Temporary as error:
        if error.code != "no_controller" or session.chosen_host:
            raise
    return _start(session, flags)


def about(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = session.client.get("/v1/about", timeout=10)
    return found


def _start(session: Session, flags: Sequence[str]) -> dict[str, Any]:
    home = session.home
    session.say(f"no controller runs yet: starting one in the background ({home})")
    log = home / LOG
    try:
        home.mkdir(mode=0o750, parents=True, exist_ok=True)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    except OSError as error:
        raise UserError(
            f"cannot write {log}: {error.strerror}",
            code="state_dir_unusable",
            hint="Give another folder with --state-dir or BLUEGREEN_HOME.",
        ) from error
    before = log.stat().st_size
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "bluegreen", "serve", "--state-dir", str(home), *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(output)
    return _answering(session, process, log, before)


def _answering(session: Session, process: subprocess.Popen[bytes], log: Path, before: int) -> dict[str, Any]:
    """Wait until a controller answers: the one that was started, or one that was faster."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        code = process.poll()
        try:
            return about(session)
        except Temporary:
            if code is not None and "[already_running]" not in _tail(log, before):
                raise _start_failed(f"ended (exit code {code})", log, before) from None
        time.sleep(0.05)
    if process.poll() is None:
        process.terminate()
    raise _start_failed("did not answer in time", log, before)


def _start_failed(how: str, log: Path, before: int) -> Permanent:
    return Permanent(
        f"the controller was started and {how}",
        code="controller_start_failed",
        evidence=(("log", str(log)), ("its last lines", _tail(log, before))),
        hint="Mend the cause; to see it start in the foreground: `bluegreen serve`.",
    )


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 4096))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-12:]) or "(empty)"


def stop(session: Session) -> int:
    """End the controller and wait for it; return its process id. Traffic goes on without it.

    Raises ``UserError`` (``not_local``) for a controller on another machine.
    """
    import signal

    if session.client.address.path == "":
        raise UserError(
            "only a controller on this machine can be ended",
            code="not_local",
            hint="End it where it runs.",
        )
    pid = int(about(session)["pid"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + END
    while time.monotonic() < deadline:
        if not _runs(pid):
            return pid
        time.sleep(0.05)
    raise Temporary(
        f"the controller (process {pid}) got SIGTERM and has not ended after {END:.0f} s",
        code="controller_silent",
        hint="It may wait for open requests. Look at its log.",
    )


def _runs(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
