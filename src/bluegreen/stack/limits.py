"""Resource limits of a service, from the keys of either dialect.

Only the syntax and the relation of the limits are checked here; whether this host can grant them is
the runtime's question.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.domain.spec import Limits
from bluegreen.stack.models.compose import ComposeService
from bluegreen.stack.models.compose_parts import ResourcesKeys
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report


def limits_of(service: CommonService, report: Report) -> Limits:
    """Return the limits; two keys that disagree about one limit are an error."""
    limits = Limits(
        cpu_shares=service.cpu_shares,
        cpuset=service.cpuset,
        mem_limit=service.mem_limit,
        memswap_limit=service.memswap_limit,
    )
    if isinstance(service, ComposeService):
        pids = service.pids_limit
        limits = replace(limits, cpus=service.cpus, mem_reservation=service.mem_reservation, pids=pids)
        if service.deploy and service.deploy.resources:
            limits = _with_resources(limits, service.deploy.resources, report.under("deploy", "resources"))
    _check_swap(limits, report)
    _check_reservation(limits, report)
    return limits


def _with_resources(limits: Limits, resources: ResourcesKeys, report: Report) -> Limits:
    upper, kept = resources.limits, resources.reservations
    asked: dict[str, tuple[tuple[str, str], Any]] = {}
    if upper:
        asked["cpus"] = (("limits", "cpus"), upper.cpus)
        asked["mem_limit"] = (("limits", "memory"), upper.memory)
        asked["pids"] = (("limits", "pids"), upper.pids)
    if kept:
        asked["mem_reservation"] = (("reservations", "memory"), kept.memory)
        if kept.cpus is not None:
            report.warn(
                "ignored_key", "a reservation of CPUs is ignored: use `cpu_shares`", "reservations", "cpus"
            )
    for name, (path, value) in asked.items():
        before = getattr(limits, name)
        if value is not None and before is not None and before != value:
            message = f"deploy.resources.{'.'.join(path)} and {name} disagree"
            report.error("conflicting_keys", message, *path, hint="keep one of them")
    changes = {name: value for name, (_, value) in asked.items() if value is not None}
    return replace(limits, **changes)


def _check_swap(limits: Limits, report: Report) -> None:
    swap, memory = limits.memswap_limit, limits.mem_limit
    if swap is None or swap == -1:
        return
    if memory is None:
        message = "memswap_limit needs mem_limit: it counts memory plus swap"
        report.error("bad_limit", message, "memswap_limit", hint="add `mem_limit:`")
    elif swap < memory:
        message = "memswap_limit is smaller than mem_limit: it counts memory plus swap"
        report.error(
            "bad_limit", message, "memswap_limit", hint="raise it to mem_limit or above, or write -1"
        )


def _check_reservation(limits: Limits, report: Report) -> None:
    if limits.mem_limit and limits.mem_reservation and limits.mem_reservation > limits.mem_limit:
        message = "the memory reservation is larger than the memory limit"
        report.error("bad_limit", message, "mem_reservation", hint="lower it to the limit or below")
