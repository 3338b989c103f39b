"""The settings of the NGINX driver, as a user writes them. Read once, by ``open_balancer``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Times are seconds.

    ``state_dir`` holds everything that outlives the controller: configuration, certificates, what was last
    applied. ``binary`` is the path of NGINX (1.20 or newer; default: the one on the path), ``stream_module``
    the file of its module for plain TCP where that is not built in. With ``run`` of ``container`` NGINX
    comes from ``image`` instead and runs on the Docker Engine of this box at ``docker_url``, a unix socket
    (default: ``DOCKER_HOST``, else the usual one). With ``existing`` it is one that somebody else runs on
    this box: its ``main_config`` includes what is written to ``include_dir``, its master is the one of
    ``pid_file``, and ``binary`` is its program.

    ``keepalive`` is how long a client's idle connection is kept. A reload closes those that are, under the
    client if it is just about to use one; of 0, the default, none is. ``upstream_keepalive`` is the same
    towards instances, in whole seconds: shorter than the idle timeout of common application servers (5 s in
    Node), so that it is NGINX that ends an idle connection, for a POST on one that the application just
    closed cannot be repeated.

    ``deadline`` bounds each question to the running NGINX, ``start_deadline`` its start, a reload and the
    check of a file. ``stop_grace`` is what requests in flight get at ``stop``; ``old_worker_deadline`` what
    connections get that began before a reload (both are not for an ``existing`` one, whose
    ``worker_shutdown_timeout`` is its own).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path
    binary: str | None = None
    stream_module: str | None = None
    run: Literal["process", "container", "existing"] = "process"
    image: str = "nginx:stable"
    docker_url: str | None = None
    include_dir: Path = Path("/etc/nginx/bluegreen.d")
    main_config: Path = Path("/etc/nginx/nginx.conf")
    pid_file: Path = Path("/run/nginx.pid")
    keepalive: float = Field(default=0.0, ge=0)
    upstream_keepalive: float = Field(default=4.0, ge=1)
    deadline: float = Field(default=2.0, gt=0)
    start_deadline: float = Field(default=15.0, gt=0)
    stop_grace: float = Field(default=5.0, ge=0)
    old_worker_deadline: float = Field(default=600.0, gt=0)
