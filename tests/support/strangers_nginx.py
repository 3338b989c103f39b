"""An NGINX that somebody else runs on this box: its own configuration, its own site, its own supervisor."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from bluegreen.drivers.balancers.nginx.layout import STREAM_MODULE
from bluegreen.drivers.proxies.processes import until_one_ends
from tests.support.ports import free_port

MAIN = """load_module {module};
user www-data;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_timeout 65;
    types_hash_max_size 2048;
    {temporary}
    server {{ listen 127.0.0.1:{port} default_server; location / {{ return 200 "theirs\\n"; }} }}
    {http}
}}
{stream}
"""


class StrangersNginx:
    """Runs from ``folder``. ``port`` is that of the site which is there already; ``starts`` counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid_file = folder / "nginx.pid"
        self.port = free_port()
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o755, parents=True)
        folder.parent.chmod(0o755)  # workers are of another user
        self.configure()

    @property
    def options(self) -> dict[str, Any]:
        return {
            "include_dir": self.folder / "bluegreen.d",
            "main_config": self.folder / "nginx.conf",
            "pid_file": self.pid_file,
        }

    def configure(self, *, http: bool = True, stream: bool = True) -> None:
        """Write the main configuration, with or without what it needs to include."""
        live = self.folder / "bluegreen.d" / "live"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        text = MAIN.format(
            module=STREAM_MODULE,
            folder=self.folder,
            port=self.port,
            temporary=" ".join(f"{kind}_temp_path {self.folder}/temp-{kind};" for kind in kinds),
            http=f"include {live}/http*.conf;" if http else "",
            stream=f"stream {{ include {live}/stream*.conf; }}" if stream else "",
        )
        (self.folder / "nginx.conf").write_text(text)

    def start(self) -> None:
        self.starts += 1
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                ["nginx", "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def supervise(self) -> None:
        """Do as the box's init does: start it again whenever it ends."""
        while True:
            assert self._process is not None
            while self._process.poll() is None:
                await until_one_ends((self._process.pid,))
            self.start()

    def end(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)
