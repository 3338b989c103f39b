"""What a user may set for Consul. Read once, by ``open_registry``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class Options(BaseModel):
    """Times are seconds.

    ``address`` is the HOST:PORT of a Consul agent, asked by HTTPS with ``tls``; ``token`` what it knows us
    by, ``ca_file`` a certificate to trust besides the system's. Everything is written below ``path``: keys,
    and the IDs of services.
    ``deadline`` bounds each request, ``settle_deadline`` how long it may take until all of Consul sees what
    was told to the agent. ``session_ttl`` is for how long a report outlives its reporter: Consul takes up to
    twice as long. ``deregister_after`` is for how long an instance must fail Consul's check for the agent to
    forget it (``None``: never): it is for what was left behind when a controller never came back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(default="127.0.0.1:8500", pattern=r"^[^/?#]+$")
    tls: bool = False
    token: SecretStr | None = None
    ca_file: Path | None = None
    path: str = Field(default="bluegreen", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    deadline: float = Field(default=3.0, gt=0)
    settle_deadline: float = Field(default=10.0, gt=0)
    session_ttl: float = Field(default=15.0, ge=10, le=25)
    deregister_after: float | None = Field(default=86400.0, ge=60)

    @field_validator("address")
    @classmethod
    def _has_a_host_and_a_port_that_is_one(cls, address: str) -> str:
        parts = urlsplit(f"//{address}")
        if parts.port == 0 or not parts.hostname:  # a port that is no number raises
            raise ValueError("it is HOST:PORT")
        return address

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"
