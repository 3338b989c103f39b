"""Finds the NGINX program of this box and runs it as a process: a daemon in its own session."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bluegreen.domain.errors import UserError
from bluegreen.drivers.balancers.nginx import files, processes
from bluegreen.drivers.balancers.nginx.complaints import hung, not_started
from bluegreen.drivers.balancers.nginx.layout import CONTAINER_MARK, CONTROL_SOCKET
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.balancers.nginx.runner import Runner, Serving, checking_arguments, serving_arguments
from bluegreen.drivers.proxies.files import unwritable


def find_binary(wanted: str | None) -> str:
    """Return the absolute path of NGINX. Raises ``UserError`` (``nginx_missing``)."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin"
    found = shutil.which(wanted or "nginx", path=path)
    if found is None:
        raise UserError(
            f"there is no NGINX at {wanted}" if wanted else "NGINX is not installed",
            code="nginx_missing",
            hint="Install NGINX 1.20 or newer, or set the path of its program.",
        )
    return os.path.abspath(found)


def require_no_container(folder: Path) -> None:
    """Raise ``bad_setting`` if a container runs the NGINX of ``folder``: Docker would bring it back."""
    name = files.read(folder / CONTAINER_MARK)
    if name is not None and processes.of_folder(folder).master is not None:
        raise UserError(
            f"the NGINX of {folder} runs in the container {name}",
            code="bad_setting",
            hint=f"Set nginx_run to container again; or end it by `docker rm -f {name}`: nothing is"
            " served until the controller has started NGINX as a process.",
            evidence=(("container", name),),
        )


class BinaryRunner:
    """See the module, and :class:`bluegreen.drivers.balancers.nginx.runner.Runner`.

    ``deadline`` in seconds bounds a start and a check.
    """

    def __init__(self, binary: str, folder: Path, deadline: float) -> None:
        self._binary = binary
        self._folder = folder
        self._deadline = deadline

    async def judge(self) -> tuple[int, str]:
        return await self._execute(checking_arguments(self._folder))

    async def launch(self, serving: Serving) -> Processes:
        await processes.retire(self._folder)
        (self._folder / CONTROL_SOCKET).unlink(missing_ok=True)  # left by one that was killed
        code, said = await self._execute(serving_arguments(self._folder))
        if code != 0:
            raise not_started(said)
        return await serving()

    async def brings_back(self) -> bool:
        return False

    async def end(self, grace: float) -> None:
        await processes.end(self._folder, grace)

    async def _execute(self, arguments: Sequence[str]) -> tuple[int, str]:
        return await execute([self._binary, *arguments], self._folder / "said.log", self._deadline)


async def execute(command: Sequence[str], said: Path, deadline: float) -> tuple[int, str]:
    """Run NGINX; return its exit code and what it said. A daemon it leaves holds no pipe of ours.

    ``deadline`` in seconds. Raises ``balancer_hung``; ``disk_full`` or ``state_unwritable`` where the file
    ``said`` cannot be written.
    """
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise unwritable(said, error) from None
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            env={"PATH": os.defpath},  # NGINX takes listening sockets from a variable of its own
        )
    finally:
        os.close(descriptor)
    try:
        async with asyncio.timeout(deadline):
            code = await process.wait()
    except TimeoutError:
        raise hung(deadline) from None
    finally:
        if process.returncode is None:
            process.kill()
    return code, await asyncio.to_thread(files.read, said) or ""


_: type[Runner] = BinaryRunner
