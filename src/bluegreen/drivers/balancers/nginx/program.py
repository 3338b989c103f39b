"""The NGINX program: found, asked for its judgement, started, reloaded, and asked what it serves.

NGINX runs as a daemon in its own session and outlives the controller.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from bluegreen.domain.errors import Permanent, Temporary, UserError
from bluegreen.drivers.balancers.nginx import processes
from bluegreen.drivers.balancers.nginx.layout import CANDIDATE, CONFIG, CONTROL_SOCKET, ERROR_LOG
from bluegreen.drivers.balancers.nginx.options import Options
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.balancers.nginx.words import refused

_SAID = re.compile(r"^(?:nginx: )?(?:\S+ \S+ )?\[(?:emerg|alert)\] (?:\d+#\d+: )?(.+)$", re.MULTILINE)
_LINE = re.compile(re.escape(CANDIDATE) + r":(\d+)")


def find_binary(wanted: str | None) -> str:
    """Return the absolute path of NGINX. Raises ``UserError`` (``nginx_missing``)."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin"
    found = shutil.which(wanted or "nginx", path=path)
    if found is None:
        raise UserError(
            f"there is no NGINX at {wanted}" if wanted else "NGINX is not installed",
            code="nginx_missing",
            hint="Install NGINX 1.18 or newer, or set the path of its program.",
        )
    return os.path.abspath(found)


class NginxProgram:
    """See the module. All methods are for the files of ``options.state_dir``."""

    def __init__(self, options: Options, binary: str) -> None:
        self._folder = options.state_dir
        self._options = options
        self._binary = binary

    async def find(self) -> Processes:
        return await asyncio.to_thread(processes.of_folder, self._folder)

    async def judge(self) -> None:
        """Let NGINX check the candidate. Raises ``balancer_refused`` with its words."""
        code, said = await self._execute(CANDIDATE, "-t")
        if code == 0:
            return
        words = _complaint(said)
        lines = (self._folder / CANDIDATE).read_text().splitlines()
        named = [int(number) for number in _LINE.findall(words)]
        raise refused(
            f"NGINX refuses the configuration: {words.splitlines()[0]}",
            "Correct the setting that the line comes from; the configuration in force is unchanged.",
            ("nginx", words),
            *((f"line {number}", lines[number - 1].strip()) for number in named if number <= len(lines)),
        )

    async def start(self, generation: int) -> Processes:
        """Start NGINX in the place of what is left of a former one. Raises ``balancer_refused``."""
        await processes.retire(self._folder)
        (self._folder / CONTROL_SOCKET).unlink(missing_ok=True)  # left by one that was killed
        code, said = await self._execute(CONFIG)
        if code != 0:
            raise _not_started(_complaint(said))
        return await self._serving(generation, frozenset())

    async def reload(self, running: Processes, generation: int) -> Processes:
        """Put the configuration in force; return once nobody accepts by the former one any more."""
        assert running.master is not None
        processes.tell([running.master], signal.SIGHUP)
        return await self._serving(generation, running.serving)

    async def generation(self) -> int | None:
        """Return which generation answers now, ``None`` when nothing does."""
        with suppress(OSError, ValueError, IndexError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(self._options.deadline):
                path = str(self._folder / CONTROL_SOCKET)
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(b"GET /generation HTTP/1.0\r\n\r\n")
                    return int((await reader.read()).split(b"\r\n\r\n")[1])
                finally:
                    writer.close()
        return None

    async def _serving(self, generation: int, before: frozenset[int]) -> Processes:
        try:
            async with asyncio.timeout(self._options.start_deadline):
                while True:
                    found = await self.find()
                    moved = found.serving and not found.serving & before
                    if moved and await self.generation() == generation:
                        return found
                    await asyncio.sleep(processes.POLL)
        except TimeoutError:
            log = (self._folder / ERROR_LOG).read_text(errors="replace")[-2000:]
            raise _not_started(_complaint(log)) from None

    async def _execute(self, config: str, *how: str) -> tuple[int, str]:
        """Run NGINX; return its exit code and what it said. A daemon it leaves holds no pipe of ours."""
        said = self._folder / "said.log"
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        command = [self._binary, "-p", str(self._folder), "-c", config, "-e", ERROR_LOG, *how]
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
            async with asyncio.timeout(self._options.start_deadline):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            raise Temporary(
                f"NGINX did not finish within {self._options.start_deadline:g} s",
                code="balancer_hung",
                hint="See whether the machine is overloaded.",
            ) from None
        return code, said.read_text(errors="replace")


def _complaint(said: str) -> str:
    return "\n".join(_SAID.findall(said)) or said.strip()[-500:] or "it gave no reason"


def _not_started(words: str) -> Permanent:
    return refused(
        f"NGINX does not serve the configuration: {words.splitlines()[0]}",
        "Read NGINX's words; `bluegreen doctor` shows ports and limits of this machine.",
        ("nginx", words),
    )


def down(folder: Path) -> Temporary:
    return Temporary(
        "NGINX is not running",
        code="balancer_down",
        hint="The controller restarts it; if it does not come back, run `bluegreen doctor`.",
        evidence=(("folder", str(folder)),),
    )
