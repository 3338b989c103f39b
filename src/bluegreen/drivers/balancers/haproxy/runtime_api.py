"""Questions and commands to a running HAProxy over its unix sockets.

One connection per batch: HAProxy accepts in microseconds, and nothing has to be kept alive across its
reloads. Rule: HAProxy has no exit codes, so every line of an answer is either expected or an error.
Command language: HAProxy 2.8 management guide, sections 9.3 and 9.4.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bluegreen.domain.errors import Temporary
from bluegreen.drivers.balancers.haproxy.layout import ADMIN_SOCKET, MASTER_SOCKET

_LONGEST_PATH = 100
"""Bytes of a unix socket's path that are safe to use (the kernel's limit is 107)."""
_LONGEST_BATCH = 8000
"""Bytes of one command line, half of HAProxy's default buffer."""
_WELL = re.compile(
    r"New server registered\.|Server deleted\.|New version created: \d+|IP changed from .*"
    r"|no need to change the (addr|port).*|port changed from .*"
)


class CommandRefused(Exception):
    """HAProxy answered a command with an error; the text is HAProxy's own. Stays inside the driver."""


class RuntimeApi:
    """See the module. ``deadline`` in seconds bounds each batch.

    All methods raise ``Temporary``: ``balancer_down`` when nothing listens, ``balancer_hung`` when the
    connection was accepted and no answer came.
    """

    def __init__(self, folder: Path, deadline: float) -> None:
        self._folder = folder
        self._deadline = deadline

    async def ask(self, question: str, *, master: bool = False) -> str:
        """Return the whole answer to one line of commands (separated by ``;``)."""
        name = MASTER_SOCKET if master else ADMIN_SOCKET
        try:
            async with asyncio.timeout(self._deadline):
                return await self._exchange(name, question)
        except TimeoutError:
            raise hung(f"no answer within {self._deadline:g} s to {question[:60]!r}") from None
        except (ConnectionError, FileNotFoundError) as error:
            raise down(str(error)) from None
        except OSError as error:  # a full queue, no descriptor left: it says nothing of HAProxy
            raise hung(str(error)) from None

    async def open(self, question: str) -> socket.socket:
        """Return the connection on which an answer without end comes; whoever asks reads and closes it."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with _reachable(self._folder, ADMIN_SOCKET) as path:
                made.connect(path)
            made.send(question.encode() + b"\n")
        except OSError as error:
            made.close()
            raise down(str(error)) from None
        return made

    async def command(self, commands: Iterable[str]) -> None:
        """Carry out commands in order. Raises ``CommandRefused`` if one of them was refused."""
        for batch in _batches(commands):
            answer = await self.ask(batch)
            complaints = _complaints(answer)
            if complaints:
                raise CommandRefused("; ".join(complaints))
            if answer.splitlines().count("") < batch.count(";") + 1:  # an empty line ends each answer
                raise down("the connection was closed before all commands were answered")

    async def succeeds(self, commands: Iterable[str]) -> bool:
        """Carry out commands in order; say whether none was refused."""
        try:
            await self.command(commands)
        except CommandRefused:
            return False
        return True

    async def attempt(self, commands: Iterable[str]) -> str:
        """Send commands in order, whatever becomes of each; return the answers."""
        return "\n".join([await self.ask(batch) for batch in _batches(commands)])

    async def replace_map(self, name: str, entries: Sequence[tuple[str, str]]) -> None:
        """Replace all entries of a map in one atomic step."""
        answer = await self.ask(f"prepare map {name}")
        created = re.search(r"New version created: (\d+)", answer)
        if created is None:
            raise CommandRefused(answer.strip())
        version = created.group(1)
        for batch in _chunks([f"{key} {value}" for key, value in entries]):
            complaints = _complaints(await self.ask(f"add map @{version} {name} <<\n{batch}\n"))
            if complaints:
                raise CommandRefused("; ".join(complaints))
        await self.command([f"commit map @{version} {name}"])

    async def to_old_worker(self, pid: int, commands: Iterable[str]) -> str:
        """Send commands to a worker that only ends its connections. Refusals do not matter there."""
        answers = [await self.ask(f"@!{pid} {command}", master=True) for command in commands]
        return "\n".join(answers)

    async def _exchange(self, name: str, question: str) -> str:
        with _reachable(self._folder, name) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
        try:
            writer.write(question.encode() + b"\n")
            writer.write_eof()
            answer = await reader.read()
        finally:
            writer.transport.abort()
        if not answer:
            raise ConnectionResetError("the connection was closed without an answer")
        return answer.decode(errors="replace")


def down(evidence: str) -> Temporary:
    return Temporary(
        "HAProxy is not running",
        code="balancer_down",
        hint="The controller restarts it; if it does not come back, run `bluegreen doctor`.",
        evidence=(("socket", evidence),),
    )


def hung(evidence: str) -> Temporary:
    return Temporary(
        "HAProxy runs but does not answer",
        code="balancer_hung",
        hint="See whether the machine is overloaded or the process is stopped (`ps`, state T).",
        evidence=(("socket", evidence),),
    )


class _reachable:
    """Gives a path of the socket that is short enough for the kernel, by way of an open folder."""

    def __init__(self, folder: Path, socket: str) -> None:
        self._path = str(folder / socket)
        self._folder = folder
        self._socket = socket
        self._opened: int | None = None

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= _LONGEST_PATH:
            return self._path
        self._opened = os.open(self._folder, os.O_PATH)
        return f"/proc/self/fd/{self._opened}/{self._socket}"

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            os.close(self._opened)


def _complaints(answer: str) -> list[str]:
    lines = (line.strip() for line in answer.splitlines())
    return [line for line in lines if line and not _WELL.fullmatch(line)]


def _batches(commands: Iterable[str]) -> Iterator[str]:
    return _joined(commands, ";")


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    return _joined(lines, "\n")


def _joined(pieces: Iterable[str], separator: str) -> Iterator[str]:
    batch: list[str] = []
    size = 0
    for piece in pieces:
        if batch and size + len(piece) > _LONGEST_BATCH:
            yield separator.join(batch)
            batch, size = [], 0
        batch.append(piece)
        size += len(piece) + 1
    if batch:
        yield separator.join(batch)
