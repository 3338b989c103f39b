"""The real ZooKeeper in a folder of its own, on a free port, with a small heap and quick ticks."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.freezing import freeze
from tests.support.ports import free_port

JARS = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar"
JAVA = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
SERVER = ("-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dzookeeper.jmx.log4j.disable=true")
PATIENCE = 60.0
"""Seconds a start may take: the machine is shared."""


class ZooKeeperProgram:
    """``hosts`` is its address as clients write it. Ends with :meth:`kill`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.hosts = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it with the data it has; returns when it serves. Nothing happens when it runs."""
        if self._process is not None:
            return
        self._folder.mkdir(exist_ok=True)
        config = self._folder / "zoo.cfg"
        config.write_text(self._config())
        command = ["java", *JAVA, *SERVER, "-cp", JARS]
        with (self._folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "org.apache.zookeeper.server.ZooKeeperServerMain", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._serves():
            said = (self._folder / "output.log").read_text()
            assert self._process.poll() is None, f"ZooKeeper ended: {said}"
            assert time.monotonic() < deadline, f"ZooKeeper does not serve: {said}"
            time.sleep(0.02)

    def freeze(self) -> None:
        assert self._process is not None
        freeze(self._process.pid)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._send(signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def forget(self) -> None:
        """Lose all data; only while it does not run."""
        assert self._process is None
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _serves(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 2) as connection:
            connection.sendall(b"srvr")
            return b"Mode:" in connection.recv(65536)
        return False

    def _config(self) -> str:
        settings = {
            "dataDir": self._folder / "data",
            "clientPort": self._port,
            "clientPortAddress": "127.0.0.1",
            "tickTime": 200,
            "minSessionTimeout": 1000,
            "maxSessionTimeout": 60000,
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "srvr",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


@contextmanager
def a_zookeeper(folder: Path) -> Iterator[ZooKeeperProgram]:
    program = ZooKeeperProgram(folder)
    try:
        program.start()
        yield program
    finally:
        program.kill()
