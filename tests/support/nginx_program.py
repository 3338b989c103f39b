"""The real NGINX in a folder of its own: everything it writes is within."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bluegreen.drivers.balancers.nginx import Layout, Rendering
from bluegreen.drivers.balancers.nginx.layout import CONFIG, PID, STREAM_MODULE
from tests.support.waiting import until

HERE = Layout(user="root", stream_module=STREAM_MODULE)
"""The tests' folders are root's, and NGINX is Debian's."""


def write(folder: Path, rendering: Rendering) -> None:
    for name, text in {**rendering.files, CONFIG: rendering.config}.items():
        (folder / name).write_text(text)


def judge(folder: Path, rendering: Rendering) -> str:
    """Return what ``nginx -t`` says. Fails the test unless it accepts the configuration."""
    write(folder, rendering)
    done = subprocess.run(_command(folder, "-t"), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{rendering.config}"
    return done.stderr


@asynccontextmanager
async def running(folder: Path, rendering: Rendering) -> AsyncIterator[None]:
    """Run NGINX with the configuration; its ports are open when the block begins."""
    judge(folder, rendering)
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            _command(folder, "-g", "daemon off;"), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )

    def serves() -> bool:
        """Whether it has opened its ports: the file, which ``nginx -t`` leaves empty, is written then."""
        assert process.poll() is None, (folder / "output.log").read_text()
        return (folder / PID).read_text().strip() == str(process.pid)

    try:
        await until(serves)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _command(folder: Path, *arguments: str) -> list[str]:
    return ["nginx", "-p", str(folder), "-c", CONFIG, "-e", "error.log", *arguments]
