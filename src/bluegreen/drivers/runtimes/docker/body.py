"""From an instance as it is wanted to the JSON of ``POST /containers/create``. Pure.

Called by the runtime for each new container; tested as a table. The same instance always gives the
same body. Source of the fields: the Engine API reference, version 1.41.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from bluegreen.domain.instance import InstanceSpec
from bluegreen.domain.spec import ContainerHealth, ContainerOptions, Limits, Mount, RestartPolicy, ServiceSpec

STACK = "bluegreen.stack"
SERVICE = "bluegreen.service"
RELEASE = "bluegreen.release"
COLOR = "bluegreen.color"
INDEX = "bluegreen.index"
CONFIG_HASH = "bluegreen.config-hash"
PORT = "bluegreen.port"
STOP_SIGNAL = "bluegreen.stop-signal"
"""Events carry a container's labels, so that a signal is known as the one that asks it to end."""


def network_name(stack: str) -> str:
    """Return the name of the network that all instances of a stack share."""
    return f"bluegreen_{stack}"


def traffic_port(spec: ServiceSpec, image_ports: Collection[int]) -> int | None:
    """Return the port that takes the traffic: said, first exposed, or the only one of the image."""
    if spec.port is not None:
        return spec.port
    if spec.expose:
        return spec.expose[0]
    return next(iter(image_ports)) if len(image_ports) == 1 else None


def create_body(instance: InstanceSpec, image_ports: Collection[int] = ()) -> dict[str, Any]:
    """Return the body that creates the container of ``instance``.

    ``image_ports`` are the TCP ports that its image exposes, needed where the spec names none.
    """
    spec, options = instance.spec, instance.spec.container
    body: dict[str, Any] = {
        "Image": instance.image,
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "Labels": labels(instance, traffic_port(spec, image_ports)),
        "ExposedPorts": _exposed(spec),
        "Volumes": {m.target: {} for m in spec.mounts if m.source is None},
        "Tty": options.tty,
        "OpenStdin": options.stdin_open,
        "StopSignal": stop_signal(spec.stop_signal),
        "StopTimeout": math.ceil(spec.stop_grace),
        "HostConfig": _host_config(instance),
    }
    optional = {
        "Cmd": None if spec.command is None else list(spec.command),
        # An empty list means "the image's own" to Docker; one empty string means none at all.
        "Entrypoint": None if options.entrypoint is None else list(options.entrypoint) or [""],
        "User": options.user,
        "WorkingDir": options.working_dir,
        "Hostname": options.hostname,
        "Healthcheck": None if spec.health is None else _healthcheck(spec.health),
        "NetworkingConfig": _networking(instance),
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def _healthcheck(health: ContainerHealth) -> dict[str, Any]:
    """Return Docker's HEALTHCHECK. What is left out, or an empty command, is the image's own."""
    times = {
        "Interval": health.interval,
        "Timeout": health.timeout,
        "StartPeriod": health.start_period,
    }
    nanoseconds = {key: round(value * 1e9) for key, value in times.items() if value is not None}
    retries = {} if health.retries is None else {"Retries": health.retries}
    return {"Test": list(health.test), **nanoseconds, **retries}


def stop_signal(name: str) -> str:
    """Return Docker's spelling of a signal: ``TERM`` and ``SIGTERM`` are the same, numbers stay."""
    return name if name.isdigit() or name.startswith("SIG") else f"SIG{name}"


def restart_policy(spec: ServiceSpec) -> dict[str, Any]:
    policy: dict[str, Any] = {"Name": spec.restart.value}
    if spec.restart is RestartPolicy.ON_FAILURE and spec.restart_attempts is not None:
        policy["MaximumRetryCount"] = spec.restart_attempts
    return policy


def limit_fields(limits: Limits) -> dict[str, Any]:
    """Return the fields of HostConfig that carry the limits that were asked for."""
    fields = {
        "CpuShares": limits.cpu_shares,
        "CpusetCpus": limits.cpuset,
        "NanoCpus": None if limits.cpus is None else round(limits.cpus * 1_000_000_000),
        "Memory": limits.mem_limit,
        "MemorySwap": limits.memswap_limit,
        "MemoryReservation": limits.mem_reservation,
        "PidsLimit": limits.pids,
    }
    return {key: value for key, value in fields.items() if value is not None}


def uses_stack_network(options: ContainerOptions) -> bool:
    """Whether the instance lives in its stack's network. ``bridge`` is Docker Cloud's word for it."""
    return options.network_mode in (None, "", "bridge", "default")


def labels(instance: InstanceSpec, port: int | None) -> dict[str, str]:
    """Return the labels by which any controller finds the instance again, and those of its service."""
    own = {
        STACK: instance.stack,
        SERVICE: instance.service,
        RELEASE: str(instance.release),
        COLOR: instance.color or "",
        INDEX: str(instance.index),
        CONFIG_HASH: instance.config_hash,
        PORT: "" if port is None else str(port),
        STOP_SIGNAL: instance.spec.stop_signal,
    }
    return {**instance.spec.labels, **own}


def _exposed(spec: ServiceSpec) -> dict[str, Any]:
    tcp = dict.fromkeys((*((spec.port,) if spec.port else ()), *spec.expose))
    published = (f"{p.container}/{p.protocol}" for p in spec.ports)
    return {key: {} for key in (*(f"{port}/tcp" for port in tcp), *published)}


def _host_config(instance: InstanceSpec) -> dict[str, Any]:
    spec, options = instance.spec, instance.spec.container
    config: dict[str, Any] = {
        "RestartPolicy": restart_policy(spec),
        "NetworkMode": _network_mode(instance),
        "PortBindings": _port_bindings(spec),
        # Binds and not Mounts for host paths: as in a stack file, a folder that is absent is made.
        "Binds": [_bind(m) for m in spec.mounts if m.source is not None and m.source.startswith("/")],
        "Mounts": [_volume(instance.stack, m) for m in spec.mounts if _is_named(m)],
        **limit_fields(spec.limits),
        **_container_options(options),
    }
    return {key: value for key, value in config.items() if value not in (None, [], {}, False)}


def own_network(instance: InstanceSpec) -> str | None:
    """Return the network in which the instance has its address, ``None`` where it has none of its own."""
    mode = _network_mode(instance)
    return None if mode in ("none", "host") or mode.startswith("container:") else mode


def _network_mode(instance: InstanceSpec) -> str:
    options = instance.spec.container
    return network_name(instance.stack) if uses_stack_network(options) else options.network_mode or ""


def _networking(instance: InstanceSpec) -> dict[str, Any] | None:
    if not uses_stack_network(instance.spec.container):
        return None
    return {"EndpointsConfig": {network_name(instance.stack): {"Aliases": list(instance.aliases)}}}


def _port_bindings(spec: ServiceSpec) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in spec.ports:
        on_host = {"HostIp": port.address, "HostPort": "" if port.host is None else str(port.host)}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(on_host)
    return bindings


def _is_named(mount: Mount) -> bool:
    return mount.source is not None and not mount.source.startswith("/")


def _bind(mount: Mount) -> str:
    return f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"


def _volume(stack: str, mount: Mount) -> dict[str, Any]:
    return {
        "Type": "volume",
        "Source": f"{stack}_{mount.source}",
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "VolumeOptions": {"Labels": {STACK: stack}},
    }


def _container_options(options: ContainerOptions) -> dict[str, Any]:
    return {
        "Privileged": options.privileged,
        "ReadonlyRootfs": options.read_only,
        "Init": options.init,
        "PidMode": options.pid_mode,
        "CapAdd": list(options.cap_add),
        "CapDrop": list(options.cap_drop),
        "Devices": [_device(device) for device in options.devices],
        "Dns": list(options.dns),
        "DnsSearch": list(options.dns_search),
        "ExtraHosts": list(options.extra_hosts),
        "SecurityOpt": list(options.security_opt),
        "Tmpfs": dict(_tmpfs(entry) for entry in options.tmpfs),
        "ShmSize": options.shm_size,
        "Ulimits": [{"Name": n, "Soft": s, "Hard": h} for n, (s, h) in options.ulimits.items()],
        "Sysctls": dict(options.sysctls),
        "LogConfig": _log_config(options),
    }


def _log_config(options: ContainerOptions) -> dict[str, Any] | None:
    if options.log_driver is None and not options.log_options:
        return None
    # Without a type the Engine takes its own default driver, and checks the options against it.
    return {"Type": options.log_driver or "", "Config": dict(options.log_options)}


def _device(text: str) -> dict[str, str]:
    host, _, rest = text.partition(":")
    container, _, permissions = rest.partition(":")
    return {
        "PathOnHost": host,
        "PathInContainer": container or host,
        "CgroupPermissions": permissions or "rwm",
    }


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, settings = text.partition(":")
    return path, settings
