"""Resource limits: can this Engine apply them, and has it applied them? Pure.

The runtime asks the first question before anything starts and the second after each creation: the
Engine drops what its kernel cannot do with nothing but a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.domain.capacity import Capacity, check_limits
from bluegreen.domain.errors import Permanent, UserError
from bluegreen.domain.spec import Limits
from bluegreen.drivers.runtimes.docker.body import limit_fields

SMALLEST_MEMORY = 6 << 20
"""Bytes below which the Engine refuses a memory limit."""

CONTROLLERS = {
    "cpu_shares": "CPUShares",
    "cpuset": "CPUSet",
    "cpus": "CpuCfsQuota",
    "mem_limit": "MemoryLimit",
    "mem_reservation": "MemoryLimit",
    "memswap_limit": "SwapLimit",
    "pids": "PidsLimit",
}
"""Limit → the field of ``GET /info`` that says whether the kernel can apply it."""


def check(service: str, limits: Limits, info: Mapping[str, Any]) -> None:
    """Raise ``UserError`` when the Engine that ``info`` describes can never apply ``limits``.

    ``limit_unsupported``: its kernel lacks the controller; ``limit_impossible``: the host is too small.
    """
    for name, flag in CONTROLLERS.items():
        if getattr(limits, name) is not None and info.get(flag) is False:
            raise UserError(
                f"{service}: {name} cannot be applied: the kernel of the Docker host does not support it",
                code="limit_unsupported",
                hint=f"Leave {name} out, or enable its cgroup controller on the host (`docker info`).",
                evidence=((name, str(getattr(limits, name))), (flag, "false")),
            )
    capacity = Capacity(cpus=frozenset(range(int(info["NCPU"]))), memory=int(info["MemTotal"]))
    check_limits(service, limits, capacity)
    _check_dockers_own(service, limits)


def verify(instance: str, limits: Limits, host_config: Mapping[str, Any]) -> None:
    """Raise ``Permanent`` (``limit_not_applied``) when the created container differs from ``limits``."""
    for field, wanted in limit_fields(limits).items():
        real = host_config.get(field)
        if real != wanted:
            raise Permanent(
                f"{instance}: Docker did not apply {field}: wanted {wanted}, got {real}",
                code="limit_not_applied",
                hint="See the warnings at the end of `docker info`, or leave the limit out.",
                evidence=((field, f"wanted {wanted}, got {real}"),),
            )


def _check_dockers_own(service: str, limits: Limits) -> None:
    memory = limits.mem_limit
    if memory is not None and memory < SMALLEST_MEMORY:
        _refuse(
            service,
            "mem_limit",
            memory,
            f"at least {SMALLEST_MEMORY} bytes, the smallest that Docker accepts",
        )
    if limits.memswap_limit is not None and memory is None:
        _refuse(
            service,
            "memswap_limit",
            limits.memswap_limit,
            "a mem_limit beside it: it counts memory plus swap",
        )
    if limits.mem_reservation is not None and memory is not None and limits.mem_reservation > memory:
        _refuse(
            service, "mem_reservation", limits.mem_reservation, f"at most the mem_limit of {memory} bytes"
        )


def _refuse(service: str, limit: str, asked: int, needed: str) -> None:
    raise UserError(
        f"{service}: the {limit} of {asked} cannot be met: it needs {needed}",
        code="limit_impossible",
        hint=f"Change {limit} in the stack file.",
        evidence=((limit, str(asked)), ("needed", needed)),
    )
