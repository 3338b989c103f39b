"""The settings of the ZooKeeper driver, as a user writes them. Read once, by ``open_registry``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Options(BaseModel):
    """Times are seconds. As a URL: ``zookeeper://zk1:2181,zk2:2181,zk3:2181/bluegreen?session_timeout=20``.

    ``address`` are the members of the ensemble, ``host:port`` between commas. Everything is written below
    ``path``. ``session_timeout`` is how long announcements stay after their announcer died, and how long
    ZooKeeper may be out of reach without forgetting them; the server has bounds of its own (by default 4
    to 40 s) and wins. ``deadline`` bounds each question. ``token`` is ``user:password`` of ZooKeeper's digest
    scheme: with it what is written can be read by everybody and changed only by who knows it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(default="127.0.0.1:2181", pattern=r"^[^\s,/]+(,[^\s,/]+)*$")
    path: str = Field(default="bluegreen", pattern=r"^(/?[A-Za-z0-9][A-Za-z0-9._-]*)+$")
    session_timeout: float = Field(default=15.0, ge=1, le=60)
    deadline: float = Field(default=3.0, gt=0)
    token: SecretStr | None = Field(default=None)

    @property
    def prefix(self) -> str:
        """``path`` as the path of a node."""
        return f"/{self.path.strip('/')}"
