"""How an instance of a service ends: signal, grace, the command before it, connections that do not end.

Called by :mod:`services`. The times of draining are the policy's (:meth:`OwnKeys.policy`).
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.spec import ServiceSpec
from bluegreen.stack.models.compose import ComposeService
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report


def stopping(spec: ServiceSpec, service: CommonService, report: Report) -> ServiceSpec:
    """Return ``spec`` with all that its file says of its end."""
    _report_contradiction(service, report)
    spec = replace(spec, pre_stop=_pre_stop(service, report))
    if not isinstance(service, ComposeService):
        return spec
    signal = (service.stop_signal or spec.stop_signal).upper().removeprefix("SIG")
    grace = spec.stop_grace if service.stop_grace_period is None else service.stop_grace_period
    return replace(spec, stop_signal=signal, stop_grace=grace)


def _report_contradiction(service: CommonService, report: Report) -> None:
    drain = service.own.drain
    if drain is not None and drain.cut_after is not None and "long_lived" in drain.model_fields_set:
        message = "`long_lived: wait` and cut_after contradict each other"
        place = ("x-bluegreen", "drain", "cut_after")
        report.error("conflicting_keys", message, *place, hint="keep one of them", key=True)


def _pre_stop(service: CommonService, report: Report) -> tuple[str, ...]:
    own = service.own.pre_stop
    hooks = service.pre_stop if isinstance(service, ComposeService) else ()
    if own is not None and not own:
        hint = "write for example [nginx, -s, quit]"
        report.error("bad_value", "pre_stop: the command is empty", "x-bluegreen", "pre_stop", hint=hint)
    for index, hook in enumerate(hooks):
        if not hook.command and not report.has_errors("pre_stop", index):
            message = "pre_stop: the command is missing"
            report.error("missing_key", message, "pre_stop", index, hint="add `command:`", key=True)
    if len(hooks) > 1:
        hint = "call both from one command, for example sh -c 'first; second'"
        report.error("unsupported_key", "a second `pre_stop` hook is not supported", "pre_stop", 1, hint=hint)
    if own and hooks and hooks[0].command != own:
        message = "pre_stop and x-bluegreen.pre_stop name different commands"
        report.error("conflicting_keys", message, "x-bluegreen", "pre_stop", hint="keep one of them")
    return own or next((hook.command for hook in hooks), ())
