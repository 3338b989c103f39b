"""What a user may set for the Docker runtime. Parsed by the composition root and by tests."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Settings of the Docker runtime. Times are seconds.

    ``url`` is ``unix://…``, ``tcp://…`` or ``ssh://…``; without it ``DOCKER_HOST``, then Docker's own
    context, then the standard socket are used. ``deadline`` bounds every single call of the Engine
    API, ``pull_deadline`` the transfer of one image, ``execute_deadline`` one command in an instance.
    ``config_dir`` is where Docker keeps its logins (``DOCKER_CONFIG``, else ``~/.docker``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    deadline: float = Field(default=20.0, gt=0)
    pull_deadline: float = Field(default=900.0, gt=0)
    execute_deadline: float = Field(default=120.0, gt=0)
    config_dir: Path | None = None

    def docker_config(self) -> Path:
        """Return the path of Docker's ``config.json`` (which need not exist)."""
        folder = self.config_dir or os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
        return Path(folder) / "config.json"
