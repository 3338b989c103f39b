"""A Compose ``healthcheck``: what Docker runs inside the container, and what we make of it ourselves.

Docker gets it as it is. It also becomes the check of the rollout where ``x-bluegreen.check`` says nothing:
as a request where it is plainly a ``curl`` or ``wget`` of a URL, else as a command where the service can run
without Docker. Called by :mod:`services` and :mod:`checks`.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from urllib.parse import urlsplit

from bluegreen.domain.check import HTTPCHK_STATUSES, CheckKind, HealthCheck
from bluegreen.domain.spec import ContainerHealth
from bluegreen.stack.models.compose import ComposeService
from bluegreen.stack.models.compose_parts import HealthcheckKeys
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report

NONE = ("NONE",)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_HINT = "add x-bluegreen: {check: GET /path} for the gate of the rollout"
_SPECIAL = frozenset({"-X", "-d", "--request", "--data", "-H"})


def container_health(service: CommonService) -> ContainerHealth | None:
    """Return what the Engine is told. An empty ``test`` is the image's own with other times."""
    keys = _keys(service)
    if keys is None:
        return None
    if keys.disable or keys.test == NONE:
        return ContainerHealth(test=NONE)
    if not keys.model_fields_set & {"test", "interval", "timeout", "retries", "start_period"}:
        return None
    return ContainerHealth(
        test=keys.test,
        interval=keys.interval,
        timeout=keys.timeout,
        retries=keys.retries,
        start_period=keys.start_period,
    )


def translated(service: CommonService, report: Report) -> HealthCheck | None:
    """Return the check of the rollout that Docker's command stands for, if there is nothing to guess."""
    keys = _keys(service)
    if keys is None or keys.disable or keys.test in ((), NONE):
        return None
    check = _request(keys)
    if check is not None:
        text = f"{check.method} {check.path} on port {check.port}"
    elif service.own.process is not None:
        check = _timed(keys, HealthCheck(kind=CheckKind.EXEC, command=_command(keys.test)))
        text = f"the command {shlex.join(check.command)}"
    else:
        message = "healthcheck is run by Docker inside the container; the balancer asks for a connection only"
        report.info("healthcheck_inside", message, "healthcheck", hint=_HINT, key=True)
        return None
    report.info(
        "healthcheck_translated", f"healthcheck is read as {text}", "healthcheck", hint=_HINT, key=True
    )
    return check


def _keys(service: CommonService) -> HealthcheckKeys | None:
    return service.healthcheck if isinstance(service, ComposeService) else None


def _command(test: tuple[str, ...]) -> tuple[str, ...]:
    return test[1:] if test[0] == "CMD" else ("/bin/sh", "-c", test[1])


def _timed(keys: HealthcheckKeys, check: HealthCheck) -> HealthCheck:
    """Return ``check`` with the times that are given, and Docker's defaults; 0 is the default there too."""
    return replace(
        check,
        interval=keys.interval or 30.0,
        timeout=keys.timeout or 30.0,
        fall=keys.retries or 3,
        start_period=keys.start_period or 0.0,
    )


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
    if url.hostname not in _LOCAL or _SPECIAL.intersection(words):
        return None
    head = any(word in ("-I", "--head", "--spider") for word in words)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    # Neither program fails at a redirect.
    asked = HealthCheck(method="HEAD" if head else "GET", path=path, expect=HTTPCHK_STATUSES, port=port)
    return _timed(keys, asked)


def _words(test: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command's words, a shell's ``|| exit 1`` taken off; empty if it is more than one command."""
    if test[0] == "CMD":
        return test[1:]
    command, *otherwise = test[1].split("||")
    if otherwise not in ([], [" exit 1"], ["exit 1"]):
        command = test[1]
    try:
        words = shlex.split(command)
    except ValueError:
        return ()
    return () if any(word in ("&&", "||", "|", ";") for word in words) else tuple(words)
