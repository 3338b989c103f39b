"""The controller's settings: from flags, then ``BLUEGREEN_*`` variables, then defaults.

Read by ``bluegreen serve`` only. The reference page is generated from the field descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bluegreen.domain.errors import UserError
from bluegreen.locations import SOCKET, default_state_dir

PREFIX = "BLUEGREEN_"


class Settings(BaseModel):
    """Settings of one controller. Every field is also a variable: ``BLUEGREEN_RUNTIME`` and so on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Field(description="folder of the journal, the sockets and the balancer's files")
    runtime: str = Field(
        "auto",
        description="what runs instances: docker, process or another driver that is installed; auto: docker "
        "when its socket answers, else process",
    )
    docker_url: str | None = Field(
        None, description="address of the Docker Engine; default: DOCKER_HOST, else the local socket"
    )
    balancer: str = Field(
        "haproxy",
        description="what carries the routes: haproxy, nginx, another driver that is installed, or boxes: "
        "only balancers on other boxes, that follow by the registry",
    )
    registry: str | None = Field(
        None,
        description="registry in which instances are announced and routes published, as consul://HOST:PORT "
        "or zookeeper://HOST:PORT,HOST:PORT; its token is read from BLUEGREEN_REGISTRY_TOKEN",
    )
    haproxy_binary: str | None = Field(
        None, description="path of an HAProxy ≥ 2.6; default: the one that comes with the package"
    )
    haproxy_run: Literal["process", "container"] = Field(
        "process", description="run HAProxy as a process of this box, or in a container"
    )
    haproxy_image: str = Field("haproxy:lts", description="image of HAProxy when it runs in a container")
    haproxy_request_log: bool = Field(
        True, description="have HAProxy note each request, from which latency and errors are measured"
    )
    nginx_binary: str | None = Field(
        None, description="path of an NGINX ≥ 1.20; default: the one of this box"
    )
    nginx_stream_module: str | None = Field(
        None, description="file of NGINX's module for plain TCP, where that is not built in"
    )
    nginx_run: Literal["process", "container", "existing"] = Field(
        "process",
        description="run NGINX as a process of this box, in a container, or write to the one that somebody "
        "else runs on this box",
    )
    nginx_image: str = Field("nginx:stable", description="image of NGINX when it runs in a container")
    nginx_include_dir: Path = Field(
        Path("/etc/nginx/bluegreen.d"), description="folder that an existing NGINX includes"
    )
    nginx_main_config: Path = Field(
        Path("/etc/nginx/nginx.conf"), description="configuration of an existing NGINX"
    )
    nginx_pid_file: Path = Field(Path("/run/nginx.pid"), description="`pid` file of an existing NGINX")
    nginx_keepalive: float = Field(
        0.0,
        ge=0,
        description="seconds for which NGINX keeps a client's idle connection; more than 0 is faster, and "
        "each change then closes idle connections, maybe under a client that is about to use one",
    )
    listen: str | None = Field(
        None,
        description="also serve the API at this address, as HOST:PORT, to whoever has a token; what is not "
        "loopback needs a certificate",
    )
    tls_certificate: Path | None = Field(
        None, description="certificate of that address with its chain, in PEM"
    )
    tls_key: Path | None = Field(None, description="key of that certificate, in PEM")
    notify_url: SecretStr | None = Field(
        None,
        description="URL that is told by POST what begins, ends or goes wrong; as good as a password, so it "
        "has a variable only",
    )
    notify_style: Literal["json", "slack"] = Field(
        "json", description="what that URL takes: the whole event as JSON, or one line as Slack takes it"
    )
    notify_secret: SecretStr | None = Field(
        None, description="key with which each message to that URL is signed (HMAC-SHA256)"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least important log line to print"
    )

    @property
    def socket(self) -> Path:
        return self.home / SOCKET

    @property
    def journal(self) -> Path:
        return self.home / "journal.sqlite"


def load(environment: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Return the settings. Raises ``UserError`` (``bad_setting``) that names every bad one."""
    values: dict[str, object] = {"home": default_state_dir(environment)}
    for name in Settings.model_fields:
        if environment.get(PREFIX + name.upper()):
            values[name] = environment[PREFIX + name.upper()]
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        evidence = tuple((".".join(map(str, e["loc"])), str(e["msg"])) for e in error.errors())
        raise UserError(
            "the controller's settings are not valid",
            code="bad_setting",
            evidence=evidence,
            hint="The settings are described in docs/reference/settings.md.",
        ) from error
