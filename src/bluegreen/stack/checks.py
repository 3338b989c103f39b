"""When an instance of a service is well, as the service itself says.

Sources, the strongest first: ``x-bluegreen.check``; a Compose ``healthcheck`` (:mod:`healthchecks`). The old
balancer's variables are added by :mod:`balancers`; what an agent asks is said in the same words.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.stack.healthchecks import translated
from bluegreen.stack.models.health_keys import AskedKeys
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report

_OF_HTTP = ("method", "path", "headers", "expect", "body")
_MEANINGLESS = {
    CheckKind.TCP: (*_OF_HTTP, "command"),
    CheckKind.EXEC: (*_OF_HTTP, "host", "port", "tls", "connect_timeout"),
    CheckKind.HTTP: ("command",),
    CheckKind.NONE: (*_OF_HTTP, "host", "port", "tls", "command"),
}
_SAME = ("method", "path", "host", "expect", "body", "tls", "command", "port", "interval", "timeout",
         "connect_timeout", "rise", "fall", "start_period")  # fmt: skip


def own_check(service: CommonService, report: Report) -> HealthCheck | None:
    """Return what the service's own keys ask for, or ``None``."""
    keys = service.own.check
    if keys is None:
        return translated(service, report)
    return changed(HealthCheck(), keys, report.under("x-bluegreen", "check"))


def changed(base: HealthCheck, keys: AskedKeys, place: Report) -> HealthCheck:
    """Return ``base`` with all that ``keys`` say; what makes no sense is reported at ``place``."""
    said = keys.model_fields_set
    changes: dict[str, Any] = {name: getattr(keys, name) for name in _SAME if name in said}
    if "method" in changes:
        changes["method"] = changes["method"].upper()
    if "headers" in said:
        changes["headers"] = tuple((name, value or "") for name, value in keys.headers.items())
    if "interval" in said and "timeout" not in said and base.interval == base.timeout:
        changes["timeout"] = keys.interval
    check = replace(base, kind=_kind(base, keys), **changes)
    _report_faults(check, keys, place)
    return check


def _kind(base: HealthCheck, keys: AskedKeys) -> CheckKind:
    said = keys.model_fields_set
    if keys.type is not None and "type" in said:
        return CheckKind(keys.type)
    if "command" in said:
        return CheckKind.EXEC
    return CheckKind.HTTP if said.intersection(_OF_HTTP) else base.kind


def _report_faults(check: HealthCheck, keys: AskedKeys, place: Report) -> None:
    said = keys.model_fields_set
    for name in ("interval", "timeout", "connect_timeout", "rise", "fall"):
        if name in said and getattr(keys, name) <= 0:
            place.error("bad_value", f"{name}: must be greater than zero", name)
    for name in _MEANINGLESS[check.kind]:
        if name in said:
            message = f"{name} has no effect on a check of type {check.kind}"
            place.warn("ignored_key", message, name, hint="remove it, or change `type`", key=True)
    if "connect_timeout" in said and (check.connect_timeout or 0) > check.timeout > 0:
        hint = f"give it less than the {check.timeout:g} s of the whole check"
        message = "connect_timeout: is longer than the whole check may take"
        place.error("conflicting_keys", message, "connect_timeout", hint=hint)
    if check.kind is CheckKind.EXEC and not check.command and not place.has_errors():
        place.error("missing_key", "a check of type exec needs a command", hint="add `command:`", key=True)
    if check.kind is CheckKind.HTTP:
        _report_http_faults(check, place)


def _report_http_faults(check: HealthCheck, place: Report) -> None:
    if not check.path.startswith("/"):
        place.error("bad_value", f"path: {check.path!r} does not begin with /", "path")
    if not check.expect:
        place.error(
            "bad_value", "expect: the list is empty", "expect", hint="write for example [200, 301-302]"
        )
    if check.host is not None and check.host.startswith("*."):
        place.error("bad_value", f"host: {check.host} is no single name", "host", hint="name one of them")
    if check.body is not None and check.method == "HEAD":
        message = "body: an answer to HEAD has no body"
        place.error("conflicting_keys", message, "body", hint="use `method: GET`")
