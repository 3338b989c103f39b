"""Starts a process so that none can ever run unrecorded.

The child is a shell in a session of its own that waits at a gate (its standard input) and then
becomes the application, under the same pid. The controller records the pid and puts it into its
control group while it waits. If the controller dies before it opened the gate, the shell reads
end-of-file and exits: what runs is always on record.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.drivers.runtimes.process.identity import ProcessId, identify

_GATE = 'read -r go && [ "$go" = go ] || exit 125; cd -- "$0" || exit 126; exec "$@" </dev/null'
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run: argv, the whole environment, the folder, and the file that takes the output."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    output: Path


class Gate:
    """A process that waits to begin. Leaving the block without :meth:`open` makes it exit."""

    def __init__(self, launch: Launch) -> None:
        self.process, self._fd = _spawn(launch)
        self._opened = False

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self._fd)
        if not self._opened:
            # It reads end-of-file and exits at once, unless it is already dead.
            os.waitpid(self.process.pid, 0)

    def open(self) -> None:
        """Let the process begin. One that was killed at the gate is noticed as any other death."""
        self._opened = True
        with suppress(BrokenPipeError):
            os.write(self._fd, b"go\n")


def _spawn(launch: Launch) -> tuple[ProcessId, int]:
    opened: list[int] = []
    try:
        output = os.open(launch.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        opened.append(output)
        waiting, gate = os.pipe2(os.O_CLOEXEC)
        opened.append(waiting)
        try:
            pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", _GATE, launch.directory, *launch.command],
                dict(launch.environment),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, waiting, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                    *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inherited()),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=_RESET,
            )
        except BaseException:
            os.close(gate)
            raise
    except OSError as error:
        raise cannot_start(launch.command[0], error) from error
    finally:
        for fd in opened:
            os.close(fd)
    process = identify(pid)
    # Nobody else reaps our children, so that even a child that died at once is still a zombie.
    assert process is not None
    return process, gate


def _inherited() -> list[int]:
    """Return the descriptors that whoever started the controller left open for its children.

    An instance outlives the controller: a pipe it held open would keep its reader waiting forever.
    """
    found = []
    for fd in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):
            if fd > 2 and os.get_inheritable(fd):
                found.append(fd)
    return found


def cannot_start(what: str, error: OSError) -> BluegreenError:
    return Temporary(
        f"cannot start {what}: {error.strerror}",
        code="start_failed",
        hint="Free what the error names (disk, processes, file descriptors); it is tried again.",
        evidence=(("errno", str(error.errno)), ("path", str(error.filename or ""))),
    )
