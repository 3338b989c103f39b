"""A box of its own, as far as the network goes: a network namespace with one foot in a bridge here."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Namespace:
    """``address`` is its own; ``inside`` is put before a command to run it there."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.inside: Sequence[str] = ("nsenter", f"--net=/run/netns/{name}")

    def run(self, *command: str) -> None:
        _run(*self.inside, *command)

    @contextmanager
    def cut_off_from(self, port: int) -> Iterator[None]:
        """Drop what it sends to TCP ``port`` of anybody, as a partition does: silence, no refusal."""
        rule = ("OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
        self.run("iptables", "-w", "-A", *rule)
        try:
            yield
        finally:
            self.run("iptables", "-w", "-D", *rule)


@contextmanager
def namespace_at(bridge: str, address: str, prefix: int) -> Iterator[Namespace]:
    """Yield a namespace whose only link is to ``bridge``, with ``address``/``prefix`` there."""
    name = f"bg{uuid.uuid4().hex[:8]}"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        _run("ip", "link", "set", f"{name}h", "master", bridge, "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", name, "addr", "add", f"{address}/{prefix}", "dev", f"{name}b")
        _run("ip", "-n", name, "link", "set", f"{name}b", "up")
        yield Namespace(name, address)
    finally:
        _run("ip", "netns", "del", name)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, (command, done.stderr)
