"""From the keys of one ordinary service to its :class:`ServiceSpec`.

Called by :mod:`loading` for every service that is not a balancer. What only the whole file can say
(who is routed, by which check) is added afterwards by :mod:`balancers`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bluegreen.domain.check import TCP_CHECK
from bluegreen.domain.spec import (
    ContainerOptions,
    Link,
    PortMapping,
    ProcessSpec,
    RestartPolicy,
    ServiceSpec,
)
from bluegreen.stack.checks import own_check
from bluegreen.stack.environment import environment_of
from bluegreen.stack.healthchecks import container_health
from bluegreen.stack.layers import Dialect
from bluegreen.stack.limits import limits_of
from bluegreen.stack.models.compose import ComposeService, ComposeTop
from bluegreen.stack.models.docker_cloud import DockerCloudService
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.problems import suggest
from bluegreen.stack.stopping import stopping
from bluegreen.stack.tree import Report
from bluegreen.stack.volumes import mounts_of


@dataclass(frozen=True, slots=True)
class Whole:
    """What a service needs to know of the stack it is in."""

    stack: str
    dialect: Dialect
    top: ComposeTop
    outer: Mapping[str, str]
    publish: Mapping[int, int]


def service_spec(name: str, service: CommonService, whole: Whole, report: Report) -> ServiceSpec:
    """Return the spec of ``service``; what cannot be used is reported and left out."""
    restart, attempts = _restart(service)
    ports = published(service, whole.publish)
    exposed = tuple(
        dict.fromkeys(p.container for group in service.expose for p in group if p.protocol == "tcp")
    )
    _require_image(name, service, report)
    environment = environment_of(service, whole.outer, report)
    spec = ServiceSpec(
        name=name,
        image=service.image,
        process=_process(service, report),
        command=service.command,
        environment=environment,
        secrets=_secrets(service, environment, report),
        labels=_labels(service, report),
        port=service.own.port or _traffic_port(exposed, ports),
        expose=exposed,
        ports=ports,
        mounts=mounts_of(service, whole.stack, whole.dialect, whole.top, report),
        restart=restart,
        restart_attempts=attempts,
        limits=limits_of(service, report),
        container=_container(service),
        check=own_check(service, report) or TCP_CHECK,
        health=container_health(service),
        replicas=_replicas(service, report),
        rollout=service.own.policy(),
    )
    return stopping(spec, service, report)


def _secrets(service: CommonService, environment: Mapping[str, str], report: Report) -> frozenset[str]:
    """Return the names that are marked. A misspelt one would hide nothing, so that is told."""
    known = {*environment, *service.environment}
    for index, name in enumerate(service.own.secret_environment):
        if name not in known:
            message = f"secret_environment: there is no variable {name!r}"
            hint = suggest(name, known) or "name a variable of `environment` or of an env file"
            report.warn("unknown_variable", message, "x-bluegreen", "secret_environment", index, hint=hint)
    return frozenset(service.own.secret_environment)


def published(service: CommonService, publish: Mapping[int, int]) -> tuple[PortMapping, ...]:
    """Return the published ports, host ports mapped elsewhere by ``publish``."""
    flat = (port for group in service.ports for port in group)
    return tuple(
        port if port.host is None else replace(port, host=publish.get(port.host, port.host)) for port in flat
    )


def _labels(service: CommonService, report: Report) -> dict[str, str]:
    for name in service.labels:
        if name.startswith("bluegreen."):
            message = f"the label {name} is bluegreen's own: it finds its instances by it"
            report.error("reserved_label", message, "labels", name, hint="use another prefix", key=True)
    return {name: value or "" for name, value in service.labels.items()}


def _traffic_port(exposed: tuple[int, ...], ports: tuple[PortMapping, ...]) -> int | None:
    containers = dict.fromkeys(port.container for port in ports if port.protocol == "tcp")
    return exposed[0] if exposed else next(iter(containers)) if len(containers) == 1 else None


def _require_image(name: str, service: CommonService, report: Report) -> None:
    if service.image is None and service.own.process is None and not report.has_errors("image"):
        hint = "add `image:` (or `x-bluegreen: {process: {command: …}}` for the process runtime)"
        report.error("missing_image", f"{name} has no image", hint=hint, key=True)


def _process(service: CommonService, report: Report) -> ProcessSpec | None:
    keys = service.own.process
    if keys is None:
        return None
    if not keys.command:
        report.error(
            "missing_key", "process: the command is missing", "x-bluegreen", "process", hint="add `command:`"
        )
        return None
    base = Path(report.mark("x-bluegreen", "process").file).parent
    folder = os.path.abspath(base / os.path.expanduser(keys.directory or "."))
    return ProcessSpec(command=keys.command, directory=folder)


def _restart(service: CommonService) -> tuple[RestartPolicy, int | None]:
    if isinstance(service, DockerCloudService):
        return RestartPolicy(service.restart), None
    if not isinstance(service, ComposeService):
        return RestartPolicy.NO, None
    policy = service.deploy.restart_policy if service.deploy else None
    if "restart" in service.model_fields_set or policy is None:
        return service.restart
    conditions = {
        "none": RestartPolicy.NO,
        "on-failure": RestartPolicy.ON_FAILURE,
        "any": RestartPolicy.ALWAYS,
    }
    return conditions[policy.condition], policy.max_attempts


def _replicas(service: CommonService, report: Report) -> int:
    said: list[tuple[tuple[str, ...], int]] = []
    if service.own.replicas is not None:
        said.append((("x-bluegreen", "replicas"), service.own.replicas))
    if isinstance(service, ComposeService):
        said += _compose_replicas(service)
    elif isinstance(service, DockerCloudService) and service.target_num_containers is not None:
        said.append((("target_num_containers",), service.target_num_containers))
        if service.deployment_strategy == "every_node":
            message = (
                "every_node runs one instance per host and cannot be combined with target_num_containers"
            )
            hint = "remove one of the two; there is one host"
            report.error("conflicting_keys", message, "target_num_containers", hint=hint, key=True)
    if len({count for _, count in said}) > 1:
        names = " and ".join(".".join(path) for path, _ in said)
        message = f"{names} disagree about the number of instances"
        report.error("conflicting_keys", message, *said[0][0], hint="keep one of them")
    return said[0][1] if said else 1


def _compose_replicas(service: ComposeService) -> list[tuple[tuple[str, ...], int]]:
    said: list[tuple[tuple[str, ...], int]] = []
    if service.scale is not None:
        said.append((("scale",), service.scale))
    if service.deploy and service.deploy.replicas is not None:
        said.append((("deploy", "replicas"), service.deploy.replicas))
    return said


def _container(service: CommonService) -> ContainerOptions:
    options = ContainerOptions(
        entrypoint=service.entrypoint,
        user=service.user,
        working_dir=service.working_dir,
        hostname=service.hostname,
        privileged=service.privileged,
        read_only=service.read_only,
        tty=service.tty,
        stdin_open=service.stdin_open,
        cap_add=service.cap_add,
        cap_drop=service.cap_drop,
        devices=service.devices,
        dns=service.dns,
        dns_search=service.dns_search,
        security_opt=service.security_opt,
    )
    if isinstance(service, DockerCloudService):
        network = "host" if service.net == "host" else None
        pid = "host" if service.pid == "host" else None
        return replace(options, network_mode=network, pid_mode=pid, extra_hosts=service.extra_hosts)
    return _compose_container(options, service) if isinstance(service, ComposeService) else options


def _compose_container(options: ContainerOptions, service: ComposeService) -> ContainerOptions:
    logging = service.logging
    return replace(
        options,
        init=service.init,
        network_mode=None if service.network_mode == "bridge" else service.network_mode,
        pid_mode=service.pid,
        extra_hosts=service.extra_hosts,
        tmpfs=service.tmpfs,
        shm_size=service.shm_size,
        ulimits=service.ulimits,
        sysctls={name: value or "" for name, value in service.sysctls.items()},
        log_driver=logging.driver if logging else None,
        log_options={name: value or "" for name, value in logging.options.items()} if logging else {},
        platform=service.platform,
    )


def links_of(service: CommonService) -> tuple[Link, ...]:
    return tuple(Link(service=link.service, alias=link.alias) for link in service.links)
