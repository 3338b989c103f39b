"""A real OpenSSH server for tests, on a port of its own, with keys of its own, as whoever runs the tests.

``folder`` holds what a user's ``~/.ssh`` would. A test puts :attr:`SshServer.path` in front of the ``PATH``
of the program that is to use it: there is an ``ssh`` that reads the configuration of this folder only.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import until

PROGRAMS = str(Path(sys.executable).parent)
_SYSTEM = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class SshServer:
    """Reached as ``ssh://box``; :meth:`configure` says what ssh knows of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.path = folder / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """What the program that calls ``ssh`` needs in its environment."""
        return {"PATH": f"{self.path}:{os.environ['PATH']}"}

    def configure(self, **options: str) -> None:
        wanted = {
            "HostName": "127.0.0.1",
            "Port": str(self.port),
            "IdentityFile": str(self.folder / "key"),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            **options,
        }
        lines = ["Host box", *(f"  {name} {value}" for name, value in wanted.items())]
        (self.folder / "config").write_text("\n".join(lines) + "\n")

    def clients(self) -> list[str]:
        """Return the command lines of ``ssh`` processes that still use this folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = entry.read_bytes().split(b"\0")
                if str(self.folder / "config").encode() in words:
                    found.append(" ".join(word.decode() for word in words))
        return found

    def prepare(self, seen: Mapping[str, str]) -> None:
        for name in ("key", "host_key", "other_key"):
            made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(made, check=True, timeout=30)
        public = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        variables = " ".join(f'"{name}={value}"' for name, value in seen.items())
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"SetEnv {variables}\n"
        )
        self.path.mkdir()
        program = self.path / "ssh"
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder}/config "$@"\n')
        program.chmod(0o755)
        self.configure()

    async def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextmanager
def serving(programs: str = PROGRAMS, **seen: str) -> Iterator[SshServer]:
    """Run a server; commands there have ``programs`` on their ``PATH``, and ``seen`` as environment."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert sshd, "run scripts/install-test-prerequisites"
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it insists; no service of the system made it
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        server = SshServer(Path(folder))
        server.prepare({"PATH": f"{programs}:{_SYSTEM}", **seen})
        with (server.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", str(server.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield server
        finally:
            print((server.folder / "log").read_text()[-3000:])  # pytest shows it beside a failure
            process.terminate()
            process.wait(10)


async def ready(server: SshServer) -> None:
    await until(server.answers, timeout=20.0)
