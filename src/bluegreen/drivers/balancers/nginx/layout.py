"""The names of the files in NGINX's folder, relative to it.

NGINX is started with that folder as its prefix (``nginx -p FOLDER -c nginx.conf``), so that neither the
configuration nor the files it names depend on where the folder is, and nothing is written elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

CONFIG = "nginx.conf"
CANDIDATE = "candidate.conf"
CONTROL_SOCKET = "control.sock"
PID = "nginx.pid"
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
"""Where Debian's package libnginx-mod-stream has the module for plain TCP."""
ERROR_LOG = "error.log"
HTTP, STREAM, COMMON = "http.conf", "stream.conf", "common.inc"
"""What the NGINX of somebody else includes: in its block of that name, and ours in all our servers."""
LOADED = "loaded"
"""Holds the generation that somebody else's NGINX has loaded."""
CONTAINER_MARK = "container"
"""Holds the name of the container that was started last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a rendered configuration refers to.

    ``user`` is whom the workers run as (``None``: NGINX's own choice). ``stream_module`` is the file of
    the module for plain TCP, loaded where that is carried (``None``: it is built in).
    ``old_worker_deadline`` is how many seconds a worker may go on serving after a reload. ``control`` is the
    path of a unix socket on which NGINX says which generation answers (``None``: nobody asks). ``raw`` takes
    raw lines of the routing for NGINX's own language; otherwise they are HAProxy's and left out.
    ``keepalive`` is how many seconds a client's idle connection is kept,
    ``upstream_keepalive`` one to an instance. ``base`` is what goes before the
    names of files where NGINX's own folder is another one.
    """

    generation: int = 1
    user: str | None = None
    stream_module: str | None = None
    old_worker_deadline: float = 600.0
    control: str | None = None
    raw: bool = False
    keepalive: float = 60.0
    upstream_keepalive: float = 4.0
    base: str = ""
