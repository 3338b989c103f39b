"""The settings of the NGINX driver, as a user writes them. Read once, by ``open_balancer``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Times are seconds.

    ``state_dir`` holds everything that outlives the controller: configuration, certificates, what was last
    applied. ``binary`` is the path of NGINX (1.18 or newer; default: the one on the path), ``stream_module``
    the file of its module for plain TCP where that is not built in. ``deadline`` bounds each question to the
    running NGINX, ``start_deadline`` its start, a reload and the check of a file. ``stop_grace`` is what
    requests in flight get at ``stop``; ``old_worker_deadline`` what connections get that began before a
    reload.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path
    binary: str | None = None
    stream_module: str | None = None
    deadline: float = Field(default=2.0, gt=0)
    start_deadline: float = Field(default=15.0, gt=0)
    stop_grace: float = Field(default=5.0, ge=0)
    old_worker_deadline: float = Field(default=600.0, gt=0)
