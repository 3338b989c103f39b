"""Local processes as a runtime: nothing to install, the whole story on any Linux machine.

Found by the composition root through the entry point ``bluegreen.runtimes`` / ``process``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bluegreen.domain.capacity import Capacity, parse_cpuset
from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.drivers.runtimes.process.cgroups import ControlGroups
from bluegreen.drivers.runtimes.process.logs import Logs
from bluegreen.drivers.runtimes.process.runtime import ProcessRuntime
from bluegreen.drivers.runtimes.process.store import Store

__all__ = ["Options", "ProcessRuntime", "open_runtime"]


class Options(BaseModel):
    """``state_dir`` holds what is known of the instances (``instances/``) and their output (``logs/``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path


@asynccontextmanager
async def open_runtime(options: Options) -> AsyncIterator[ProcessRuntime]:
    """Open the runtime and adopt what runs; leaving the block leaves all instances running.

    Raises ``Temporary`` (``runtime_locked``) while another controller has the same folder, and
    ``Permanent`` (``state_unwritable``, ``state_corrupt``).
    """
    with _folder(options.state_dir):
        logs = Logs(options.state_dir / "logs")
        owner = hashlib.sha256(bytes(options.state_dir.resolve())).hexdigest()[:12]
        store, groups = Store(options.state_dir / "instances"), ControlGroups(owner)
        runtime = ProcessRuntime(store, groups, logs, host_capacity())
        try:
            await runtime.adopt()
            yield runtime
        finally:
            await runtime.close()


def host_capacity() -> Capacity:
    """Return the machine's CPUs that are online, and its memory."""
    online = Path("/sys/devices/system/cpu/online").read_text().strip()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Capacity(cpus=parse_cpuset(online), memory=memory)


@contextmanager
def _folder(state_dir: Path) -> Iterator[None]:
    """Make the state folder ours for as long as the block runs (also across processes)."""
    try:
        for folder in ("instances", "logs"):
            (state_dir / folder).mkdir(parents=True, exist_ok=True)
        fd = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise Permanent(
            f"{state_dir} cannot be written: {error.strerror}",
            code="state_unwritable",
            hint="Give the controller's user the right to write there, or choose another --state-dir.",
            evidence=(("path", str(error.filename)),),
        ) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Temporary(
                f"another controller runs processes from {state_dir}",
                code="runtime_locked",
                hint="Stop it, or give this one a --state-dir of its own.",
            ) from error
        yield
    finally:
        os.close(fd)
