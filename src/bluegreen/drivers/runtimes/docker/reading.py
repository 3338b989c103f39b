"""From the Engine's JSON to our vocabulary: containers to instances, messages to events. Pure.

Called by the runtime for what it lists and by the watch for what it hears; tested as tables. An
instance is read from the container alone (labels and state), never from memory, so that any
controller finds what another one has started.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bluegreen.domain.instance import Instance, InstanceState, RuntimeEvent, RuntimeEventKind
from bluegreen.domain.naming import Color
from bluegreen.drivers.runtimes.docker import body, signals

Json = Mapping[str, Any]

STATES = {
    "created": InstanceState.CREATED,
    "running": InstanceState.RUNNING,
    "paused": InstanceState.PAUSED,
    "restarting": InstanceState.RESTARTING,
    "exited": InstanceState.EXITED,
    "dead": InstanceState.EXITED,
    "removing": InstanceState.EXITED,
}

KINDS = {
    "start": RuntimeEventKind.STARTED,
    "kill": RuntimeEventKind.STOPPING,
    "die": RuntimeEventKind.DIED,
    "oom": RuntimeEventKind.OOM,
    "pause": RuntimeEventKind.PAUSED,
    "unpause": RuntimeEventKind.RESUMED,
    "health_status": RuntimeEventKind.HEALTH,
    "destroy": RuntimeEventKind.REMOVED,
    "rename": RuntimeEventKind.ADDRESS,
    "connect": RuntimeEventKind.ADDRESS,
    "disconnect": RuntimeEventKind.ADDRESS,
}


def is_ours(labels: Json) -> bool:
    return bool(labels.get(body.STACK) and labels.get(body.SERVICE))


def instance(inspected: Json) -> Instance:
    """Return the instance that ``GET /containers/{id}/json`` describes.

    ``host`` is its address in the stack's network, also while the Engine keeps it for a paused
    one; an instance in the host's network is at 127.0.0.1.
    """
    config, state = inspected["Config"], inspected["State"]
    labels = config.get("Labels") or {}
    now = STATES.get(state["Status"], InstanceState.EXITED)
    return Instance(
        name=inspected["Name"].lstrip("/"),
        stack=labels[body.STACK],
        service=labels[body.SERVICE],
        release=_number(labels.get(body.RELEASE)) or 0,
        index=_number(labels.get(body.INDEX)) or 0,
        color=_color(labels.get(body.COLOR)),
        config_hash=labels.get(body.CONFIG_HASH, ""),
        state=now,
        incarnation=_incarnation(inspected["Id"], state),
        host=_address(inspected),
        port=_number(labels.get(body.PORT)) if _has_network(inspected) else None,
        started_at=timestamp(state.get("StartedAt")),
        restarts=inspected.get("RestartCount", 0),
        exit_code=_exit_code(now, state),
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        health=_health(now, state),
        image=config.get("Image", ""),
    )


def event(message: Json, known: Mapping[str, tuple[str, str, str]]) -> RuntimeEvent | None:
    """Return the event that one message of ``GET /events`` means, ``None`` if it is not ours.

    ``known`` maps container ids to (stack, service, name): messages about networks name only the id.
    """
    attributes: Json = message.get("Actor", {}).get("Attributes") or {}
    action, _, detail = str(message.get("Action", "")).partition(": ")
    kind = KINDS.get(action)
    found = owner(message, known)
    if kind is None or found is None:
        return None
    if action == "kill" and not signals.ends(attributes.get("signal", ""), attributes.get(body.STOP_SIGNAL)):
        return None
    stack, service, name = found
    if action == "die":
        detail = f"exit code {attributes.get('exitCode', '?')}"
    elif action == "kill":
        detail = f"signal {attributes['signal']}"
    elif action in ("connect", "disconnect", "rename"):
        detail = f"{action} {attributes.get('name', '')}"
    at = message.get("timeNano", 0) / 1e9 or float(message.get("time", 0))
    return RuntimeEvent(kind=kind, stack=stack, service=service, instance=name, at=at, detail=detail)


def exit_code(message: Json) -> int | None:
    """Return the exit code that the message about an end tells."""
    return _number(str((message.get("Actor", {}).get("Attributes") or {}).get("exitCode", "")))


def container_id(message: Json) -> str:
    """Return the id of the container that a message is about."""
    actor = message.get("Actor", {})
    if message.get("Type") == "network":
        return str((actor.get("Attributes") or {}).get("container", ""))
    return str(actor.get("ID", ""))


def owner(message: Json, known: Mapping[str, tuple[str, str, str]]) -> tuple[str, str, str] | None:
    """Return (stack, service, name) of the container that a message is about, if it is ours."""
    if message.get("Type") == "network":
        return known.get(container_id(message))
    attributes: Json = message.get("Actor", {}).get("Attributes") or {}
    if not is_ours(attributes):
        return None
    return attributes[body.STACK], attributes[body.SERVICE], str(attributes.get("name", ""))


def image_ports(image: Json) -> tuple[int, ...]:
    """Return the TCP ports that an image (``GET /images/{name}/json``) exposes, ascending."""
    exposed = (image.get("Config") or {}).get("ExposedPorts") or {}
    return tuple(
        sorted(int(key.removesuffix("/tcp")) for key in exposed if "/" not in key.removesuffix("/tcp"))
    )


def timestamp(text: str | None) -> float:
    """Return UNIX seconds of Docker's RFC 3339 time (nanoseconds), 0 for its zero time."""
    if not text or text.startswith("0001-"):
        return 0.0
    return datetime.fromisoformat(text).timestamp()


def _incarnation(container: str, state: Json) -> str:
    return f"{container[:12]}@{state.get('StartedAt', '')}"


def _has_network(inspected: Json) -> bool:
    """Whether it can have an address at all: not without a network, nor in that of another container."""
    mode = inspected["HostConfig"].get("NetworkMode") or ""
    return mode != "none" and not mode.startswith("container:")


def _address(inspected: Json) -> str | None:
    if inspected["HostConfig"].get("NetworkMode") == "host":
        return "127.0.0.1"
    networks: Json = inspected["NetworkSettings"].get("Networks") or {}
    own = body.network_name((inspected["Config"].get("Labels") or {})[body.STACK])
    endpoint: Json = networks.get(own) or next(iter(networks.values()), {})
    return endpoint.get("IPAddress") or None


def _exit_code(now: InstanceState, state: Json) -> int | None:
    """A container that runs shows 0, one that could not be started 126 to 128 without an end."""
    if now is InstanceState.CREATED:
        return state.get("ExitCode") or None
    if now in (InstanceState.RUNNING, InstanceState.PAUSED):
        return None
    code: int | None = state.get("ExitCode")
    return code


def _health(now: InstanceState, state: Json) -> str:
    """Return the Engine's verdict on what runs: of one that has ended it always says ``unhealthy``."""
    if now is not InstanceState.RUNNING:
        return ""
    status = str((state.get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status


def _color(text: str | None) -> Color | None:
    return Color(text) if text in set(Color) else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
