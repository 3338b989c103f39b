"""Announcements as services of Consul, and back. Pure.

A service of Consul is what other tools see: its name is the service's, its tags the stack, the color and,
where it is so, ``draining``. What they do not show is in ``Meta``, each value a text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.domain.announcement import Announcement
from bluegreen.domain.check import TCP_CHECK, CheckKind, HealthCheck
from bluegreen.domain.naming import Color

STACK = "bluegreen-stack"
WELL, RESTING = "well", "resting"
AGES = "87600h"
SHOWN = ("Tags", "Meta", "Address", "Port", "Weights")
"""What Consul shows of a service as it was told; its checks are compared by their digest in ``Meta``."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A service as the agent is told it. ``announcement`` is without its check, as it is read back."""

    announcement: Announcement
    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.body["ID"])

    def is_held(self, service: Mapping[str, Any]) -> bool:
        """Whether ``service``, as Consul shows it, is what this would make of it."""
        parts = {"Service": self.body["Name"], **{part: self.body[part] for part in SHOWN}}
        return all(service.get(part) == value for part, value in parts.items())


def registration(prefix: str, told: Announcement, deregister_after: float | None) -> Registration:
    """Return what to tell the agent. It is called well: whoever announces it has asked it already."""
    service = f"{prefix}:{told.stack}:{told.instance}"
    draining = ["draining"] if told.draining else []
    checks = _checks(service, told, deregister_after)
    body = {
        "ID": service,
        "Name": told.service,
        "Tags": [told.stack, str(told.color), *draining],
        "Address": told.host,
        "Port": told.port,
        "Weights": {"Passing": max(1, told.weight), "Warning": max(1, told.weight)},
        "Meta": _meta(told) | {"bluegreen-checks": _digest(checks)},
        "Checks": checks,
    }
    return Registration(replace(told, check=TCP_CHECK), body)


def announcement_of(service: Mapping[str, Any]) -> Announcement:
    """Return what a service of Consul announces; its check cannot be read back and is the default.

    Raises ``ValueError`` that says what is wrong.
    """
    meta = service.get("Meta") or {}
    host, port = service.get("Address"), service.get("Port")
    if not host or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"its address is {host}:{port}")
    return Announcement(
        instance=_text(meta, "bluegreen-instance"),
        stack=_text(meta, STACK),
        service=str(service.get("Service")),
        color=Color(_text(meta, "bluegreen-color")),
        host=str(host),
        port=port,
        release=int(_text(meta, "bluegreen-release")),
        weight=int(_text(meta, "bluegreen-weight")),
        draining=_text(meta, "bluegreen-draining") == "yes",
        forced_up=_text(meta, "bluegreen-forced-up") == "yes",
    )


def is_unwell(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of Consul's health endpoint fails a check of its own.

    That of the agent's node does not count: the instance need not run where it was announced.
    """
    service = entry["Service"]["ID"]
    return any(
        check.get("Status") == "critical"
        and check.get("ServiceID") == service
        and check.get("CheckID") != f"{service}:{RESTING}"
        for check in entry.get("Checks") or ()
    )


def _meta(told: Announcement) -> dict[str, str]:
    return {
        STACK: told.stack,
        "bluegreen-instance": told.instance,
        "bluegreen-color": str(told.color),
        "bluegreen-release": str(told.release),
        "bluegreen-weight": str(told.weight),
        "bluegreen-draining": "yes" if told.draining else "no",
        "bluegreen-forced-up": "yes" if told.forced_up else "no",
    }


def _text(meta: Mapping[str, str], key: str) -> str:
    if key not in meta:
        raise ValueError(f"{key} is missing")
    return meta[key]


def _digest(checks: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(checks, sort_keys=True).encode()).hexdigest()[:16]


def _checks(service: str, told: Announcement, deregister_after: float | None) -> list[dict[str, Any]]:
    found = []
    question = None if told.forced_up else _question(told)
    if question is not None:
        forget = {"DeregisterCriticalServiceAfter": f"{deregister_after:.0f}s"} if deregister_after else {}
        check = told.check
        found.append(
            {
                "CheckID": f"{service}:{WELL}",
                "Name": f"{told.instance} answers",
                "Status": "passing",
                "Interval": f"{max(1.0, check.interval):g}s",
                "Timeout": f"{check.timeout:g}s",
                "SuccessBeforePassing": check.rise,
                "FailuresBeforeCritical": check.fall,
                **question,
                **forget,
            }
        )
    if told.draining or told.weight == 0:
        # Nobody ever feeds it: who asks Consul for what is well (DNS, consul-template) does not get it.
        resting = {"CheckID": f"{service}:{RESTING}", "Name": "takes no new requests"}
        found.append({**resting, "TTL": AGES, "Status": "critical"})
    return found


def _question(told: Announcement) -> dict[str, Any] | None:
    """Return the check in Consul's words; ``None`` when there is none that Consul can ask."""
    check = told.check
    address = f"[{told.host}]" if ":" in told.host else told.host
    target = f"{address}:{check.port or told.port}"
    if check.kind in (CheckKind.NONE, CheckKind.EXEC):
        return None
    if check.kind is CheckKind.TCP or not _means_the_same(check):
        return {"TCP": target}
    headers: dict[str, list[str]] = {}
    for name, value in (*check.headers, *((("Host", check.host),) if check.host else ())):
        headers.setdefault(name, []).append(value)
    scheme, skip = ("https", {"TLSSkipVerify": True}) if check.tls else ("http", {})
    return {"HTTP": f"{scheme}://{target}{check.path}", "Method": check.method, "Header": headers, **skip}


def _means_the_same(check: HealthCheck) -> bool:
    """Whether Consul, to whom only 2xx is well, would call nothing sick that the check calls well."""
    return all(lowest >= 200 and highest <= 299 for lowest, highest in check.expect)
