"""A Docker Engine of our own: started for the test session, ended with everything it started.

Why: a test must neither need nor touch the machine's Docker, and two runs side by side must not meet.
Each engine has its own folder, socket, bridge, address range and containerd namespace. It leaves
iptables alone (two engines would flush each other's chains); ports are published by its proxy.

    with DockerEngine.running() as engine: ...          # in tests and benchmarks
    python -m tests.support.docker_engine up|down --dir DIR   # by hand and from scripts
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.support import images

START_DEADLINE = 60.0
STOP_DEADLINE = 30.0


class EngineBroken(Exception):
    """The engine cannot be started here. A missing engine fails the suite, it never skips it."""


@dataclass(kw_only=True)
class DockerEngine:
    """One dockerd. ``number`` is the second byte of its addresses (``10.<number>.0.0/16``).

    With ``tls``, a folder with ``ca.pem``, ``server.pem`` and ``server-key.pem``, its TCP port asks for a
    client certificate.
    """

    folder: Path
    number: int
    live_restore: bool = False
    network_prefix: int = 24
    tcp_port: int | None = None
    tls: Path | None = None
    pid: int | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @classmethod
    def create(cls, folder: Path | None = None, **options: object) -> DockerEngine:
        """Reserve a folder and an address range. ``options`` are the fields of the class."""
        if shutil.which("dockerd") is None:
            raise EngineBroken("dockerd is missing: apt-get install -y --no-install-recommends docker.io")
        # A unix socket's path is limited to 107 characters: keep the folder short.
        place = folder or Path(tempfile.mkdtemp(prefix="bg-docker-", dir="/tmp"))
        place.mkdir(parents=True, exist_ok=True)
        return cls(folder=place, number=_reserve_range(), **options)  # type: ignore[arg-type]

    @classmethod
    @contextmanager
    def running(cls, **options: object) -> Iterator[DockerEngine]:
        engine = cls.create(**options)  # type: ignore[arg-type]
        try:
            engine.start()
            yield engine
        finally:
            engine.close()

    @property
    def socket_path(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    @property
    def tcp_url(self) -> str:
        return f"tcp://127.0.0.1:{self.tcp_port}"

    @property
    def bridge(self) -> str:
        return f"bgtest{self.number}"

    @property
    def subnet(self) -> str:
        return f"10.{self.number}.0.0/16"

    def docker(self, *arguments: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run the ``docker`` client against this engine; return its standard output, stripped."""
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            ["docker", "-H", self.url, *arguments],
            input=stdin,
            capture_output=True,
            env=environment,
            check=False,
            timeout=300,
        )
        if check and done.returncode != 0:
            raise EngineBroken(f"docker {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace").strip()

    def start(self) -> None:
        """Start dockerd (again) and wait until it answers."""
        self._forget_containerd()
        with (self.folder / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._child, self.pid = process, process.pid
        _until(lambda: self._answers(process), START_DEADLINE, self._why("dockerd does not answer"))

    def kill(self) -> None:
        """SIGKILL dockerd and only it: what it started is on its own."""
        self._signal(signal.SIGKILL)
        self._gone()

    def suspend(self) -> None:
        """SIGSTOP: the socket accepts connections and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End dockerd and everything it started: containers, shims, mounts, bridges, files."""
        if self.pid is not None:
            self.resume()
            if self._alive():
                self._remove_containers()
                self._signal(signal.SIGTERM)
            try:
                self._gone()
            except EngineBroken:
                self.kill()
        self._end_orphans()
        self._unmount()
        self._delete_cgroups()
        self._delete_shim_sockets()
        self._delete_bridges()
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self) -> None:
        kept = ("number", "live_restore", "network_prefix", "tcp_port", "pid")
        state = {key: getattr(self, key) for key in kept}
        (self.folder / "engine.json").write_text(json.dumps(state))

    @classmethod
    def load(cls, folder: Path) -> DockerEngine:
        state = json.loads((folder / "engine.json").read_text())
        return cls(**{**state, "folder": folder})

    def _command(self) -> list[str]:
        command = [
            "dockerd",
            *("--host", self.url),
            *("--data-root", str(self.folder / "data")),
            *("--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "dockerd.pid")),
            *("--config-file", str(self.folder / "daemon.json")),
            *("--bridge", self.bridge),
            *("--default-address-pool", f"base={self.subnet},size={self.network_prefix}"),
            *("--cgroup-parent", f"/{self.bridge}"),
            *("--containerd-namespace", self.bridge),
            *("--containerd-plugins-namespace", f"{self.bridge}p"),
            "--iptables=false",
            "--ip-masq=false",
            "--ip6tables=false",
        ]
        (self.folder / "daemon.json").write_text("{}")
        if self.live_restore:
            command.append("--live-restore")
        if self.tcp_port is not None:
            command += ["--host", self.tcp_url, *self._tls()]
        return command

    def _tls(self) -> list[str]:
        if self.tls is None:
            return ["--tls=false"]
        files = {"cacert": "ca.pem", "cert": "server.pem", "key": "server-key.pem"}
        return ["--tlsverify", *(f"--tls{option}={self.tls / name}" for option, name in files.items())]

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise EngineBroken(self._why(f"dockerd ended with {process.returncode}"))
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(self.socket_path))
                client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b"200 OK" in client.recv(4096)
        except OSError:
            return False

    def _why(self, what: str) -> str:
        log = (self.folder / "dockerd.log").read_text(errors="replace")
        return f"{what}; the end of its log:\n{log[-3000:]}"

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None and self._alive():
            os.kill(self.pid, number)

    def _alive(self) -> bool:
        return self.pid is not None and _runs(self.pid, "dockerd")

    def _forget_containerd(self) -> None:
        """Drop the pid file of a containerd that died with its dockerd.

        Where process 1 is slow to reap, the dead one still counts as alive: dockerd would wait for it.
        """
        pid_file = self.folder / "exec" / "containerd" / "containerd.pid"
        if pid_file.exists():
            pid = int(pid_file.read_text())
            _until(lambda: not _runs(pid, "containerd"), STOP_DEADLINE, f"containerd {pid} does not end")
            pid_file.unlink()

    def _gone(self) -> None:
        _until(lambda: not self._alive(), STOP_DEADLINE, f"dockerd {self.pid} does not end")
        if self._child is not None:
            self._child.wait()
        self.pid = self._child = None

    def _remove_containers(self) -> None:
        names = self.docker("ps", "-aq", check=False).split()
        if names:
            self.docker("rm", "-fv", *names, check=False)

    def _end_orphans(self) -> None:
        """End what a killed dockerd left: shims and proxies name our folder or addresses."""
        marks = (str(self.folder), f"-container-ip 10.{self.number}.")
        orphans: set[psutil.Process] = set()
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
                if (
                    process.pid != os.getpid()
                    and any(mark in line for mark in marks)
                    and _is_dockers(process)
                ):
                    orphans |= {process, *process.children(recursive=True)}
            except psutil.Error:
                continue
        for process in orphans:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(orphans, timeout=STOP_DEADLINE)

    def _unmount(self) -> None:
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self.folder}/"):
                _run("umount", "--lazy", mount)

    def _delete_cgroups(self) -> None:
        """Containers that died without a dockerd leave theirs; all are below one of our own."""
        for top in Path("/sys/fs/cgroup").glob(f"*/{self.bridge}"):
            for group, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):
                    Path(group).rmdir()

    def _delete_shim_sockets(self) -> None:
        """A shim that was killed leaves its socket outside of our folder; its file says where."""
        for address in self.folder.glob("exec/containerd/daemon/*/*/*/address"):
            Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)

    def _delete_bridges(self) -> None:
        listed = subprocess.run(["ip", "-json", "-4", "addr"], capture_output=True, check=True, timeout=10)
        for link in json.loads(listed.stdout):
            ours = (a["local"].startswith(f"10.{self.number}.") for a in link.get("addr_info", ()))
            if any(ours):
                _run("ip", "link", "delete", link["ifname"])
        _forward("-D", self.subnet)


def _runs(pid: int, name: str) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == name and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_dockers(process: psutil.Process) -> bool:
    return process.name().startswith(("containerd", "docker", "runc"))


def _reserve_range() -> int:
    """Create the bridge of a free /16 under 10.0.0.0: its name is the reservation."""
    routes = subprocess.run(["ip", "-json", "-4", "route"], capture_output=True, check=True, timeout=10)
    taken = [
        ipaddress.ip_network(r["dst"], strict=False)
        for r in json.loads(routes.stdout)
        if r["dst"] != "default"
    ]
    for number in random.sample(range(130, 250), 120):
        subnet = ipaddress.ip_network(f"10.{number}.0.0/16")
        if any(subnet.overlaps(network) for network in taken):
            continue
        if _run("ip", "link", "add", "name", f"bgtest{number}", "type", "bridge"):
            _run("ip", "addr", "add", f"10.{number}.0.1/24", "dev", f"bgtest{number}")
            _run("ip", "link", "set", f"bgtest{number}", "up")
            # Another engine on this machine may have set the policy of FORWARD to DROP.
            _forward("-I", str(subnet))
            return number
    raise EngineBroken("no free 10.N.0.0/16 is left for a test engine (is this root, with iproute2?)")


def _forward(action: str, subnet: str) -> None:
    if shutil.which("iptables") is not None:
        _run("iptables", "-w", action, "FORWARD", "-s", subnet, "-d", subnet, "-j", "ACCEPT")


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _until(condition: Callable[[], bool], timeout: float, otherwise: str) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise EngineBroken(otherwise)
        time.sleep(0.02)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """The engine that the whole session shares, with the sample images in it."""
    with DockerEngine.running() as engine:
        images.load(engine)
        yield engine


def main() -> None:
    parser = argparse.ArgumentParser(description="A private Docker Engine for tests, demos and benchmarks.")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--dir", type=Path, required=True, help="its folder (a short path)")
    parser.add_argument("--no-images", action="store_true", help="do not build the sample images")
    options = parser.parse_args()
    if options.action == "down":
        DockerEngine.load(options.dir).close()
        return
    engine = DockerEngine.create(options.dir)
    try:
        engine.start()
        engine.save()
        if not options.no_images:
            images.load(engine)
    except BaseException:
        engine.close()
        raise
    print(engine.url)


if __name__ == "__main__":
    main()
