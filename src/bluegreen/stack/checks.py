"""When an instance of a service is well, as the service itself says.

Sources, the strongest first: ``x-bluegreen.check``; a Compose ``healthcheck`` that is plainly a
``curl`` or ``wget`` of a URL. The old balancer's variables are added by :mod:`balancers`.
"""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from bluegreen.domain.check import HTTPCHK_STATUSES, CheckKind, HealthCheck
from bluegreen.stack.models.compose import ComposeService
from bluegreen.stack.models.compose_parts import HealthcheckKeys
from bluegreen.stack.models.own import CheckKeys
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_HINT = "add x-bluegreen: {check: GET /path} for the gate of the rollout"


def own_check(service: CommonService, report: Report) -> HealthCheck | None:
    """Return what the service's own keys ask for, or ``None``."""
    docker = _docker_check(service, report)
    keys = service.own.check
    return from_keys(keys, report) if keys is not None else docker


def from_keys(keys: CheckKeys, report: Report) -> HealthCheck:
    """Return the check that ``x-bluegreen.check`` describes."""
    place = report.under("x-bluegreen", "check")
    if not keys.path.startswith("/"):
        place.error("bad_value", f"path: {keys.path!r} does not begin with /", "path")
    for name in ("interval", "rise", "fall"):
        if getattr(keys, name) <= 0:
            place.error("bad_value", f"{name}: must be greater than zero", name)
    return HealthCheck(
        kind=CheckKind(keys.type),
        method=keys.method.upper(),
        path=keys.path,
        host=keys.host,
        headers=tuple((name, value or "") for name, value in keys.headers.items()),
        expect=(keys.expect,),
        port=keys.port,
        interval=keys.interval,
        timeout=keys.timeout if keys.timeout is not None else keys.interval,
        rise=keys.rise,
        fall=keys.fall,
        start_period=keys.start_period,
    )


def _docker_check(service: CommonService, report: Report) -> HealthCheck | None:
    """Translate Docker's command into a request where there is nothing to guess."""
    keys = service.healthcheck if isinstance(service, ComposeService) else None
    if keys is None or keys.disable or keys.test == ["NONE"]:
        return None
    found = _request(keys)
    if found is None:
        if service.own.check is None:
            message = (
                "healthcheck is not carried out: a command inside the container says nothing to the balancer"
            )
            report.warn("ignored_key", message, "healthcheck", hint=_HINT, key=True)
        return None
    if service.own.check is None:
        message = f"healthcheck is read as {found.method} {found.path} on port {found.port}"
        report.info("healthcheck_translated", message, "healthcheck", hint=_HINT, key=True)
    return found


def _request(keys: HealthcheckKeys) -> HealthCheck | None:
    words = _words(keys.test)
    urls = [word for word in words if word.startswith("http://")]
    program = words[0].rsplit("/", 1)[-1] if words else ""
    if program not in ("curl", "wget") or len(urls) != 1:
        return None
    try:
        url = urlsplit(urls[0])
        port = url.port or 80
    except ValueError:
        return None
    if url.hostname not in _LOCAL or any(word in ("-X", "-d", "--request", "--data", "-H") for word in words):
        return None
    head = any(word in ("-I", "--head", "--spider") for word in words)
    interval = 30.0 if keys.interval is None else keys.interval
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return HealthCheck(
        method="HEAD" if head else "GET",
        path=path,
        expect=HTTPCHK_STATUSES,  # neither program fails at a redirect
        port=port,
        interval=interval or 30.0,
        timeout=30.0 if keys.timeout is None else keys.timeout,
        fall=keys.retries or 3,
        start_period=keys.start_period or 0.0,
    )


def _words(test: object) -> list[str]:
    """Return the command's words, a shell's ``|| exit 1`` taken off; empty if it is more than one command."""
    if isinstance(test, list) and all(isinstance(word, str) for word in test):
        if test[:1] == ["CMD"]:
            return list(test[1:])
        test = test[1] if len(test) == 2 and test[0] == "CMD-SHELL" else None
    if not isinstance(test, str):
        return []
    command = test.split("||")[0] if test.split("||")[1:] in ([" exit 1"], ["exit 1"], []) else test
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    return [] if any(word in ("&&", "||", "|", ";") for word in words) else words
