"""The table of limits and control-group files, in both versions, to be written and read back.

Pure. Formats: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst; the conversion
of CPU shares to weights is that of the OCI runtimes (2..262144 onto 1..10000).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.capacity import parse_cpuset
from bluegreen.domain.spec import Limits

V1, V2 = 1, 2
PERIOD = 100_000
"""Microseconds in which a CPU quota is counted; the kernel's and Docker's default."""
PAGE = 4096
_UNLIMITED = 1 << 62
"""Version 1 says "no limit" with a number near 2^63."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One limit: its controller, and what to write into which files, by cgroup version."""

    limit: str
    controller: str
    files: Mapping[int, Mapping[str, str]]

    def holds(self, written: str, real: str) -> bool:
        """Whether what the kernel reads back is what was written (bytes are rounded to pages)."""
        if self.controller == "cpuset":
            return parse_cpuset(written) == parse_cpuset(real)
        if self.controller == "memory" and written.isdecimal() and real.isdecimal():
            return 0 <= int(written) - int(real) < PAGE
        return written == real or (written == "-1" and real.isdecimal() and int(real) > _UNLIMITED)


def settings(limits: Limits) -> list[Setting]:
    """Return what to set for the limits that were asked for, in the order it must be written."""
    found = [*_cpu(limits), *_memory(limits)]
    if limits.pids and limits.pids > 0:
        value = {"pids.max": str(limits.pids)}
        found.append(Setting("pids", "pids", {V1: value, V2: value}))
    return found


def _cpu(limits: Limits) -> list[Setting]:
    found = []
    if limits.cpu_shares:
        found.append(
            Setting(
                "cpu_shares",
                "cpu",
                {
                    V1: {"cpu.shares": str(limits.cpu_shares)},
                    V2: {"cpu.weight": str(weight(limits.cpu_shares))},
                },
            )
        )
    if limits.cpus:
        quota = str(int(limits.cpus * PERIOD))
        files = {
            V1: {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": quota},
            V2: {"cpu.max": f"{quota} {PERIOD}"},
        }
        found.append(Setting("cpus", "cpu", files))
    if limits.cpuset:
        value = {"cpuset.cpus": limits.cpuset}
        found.append(Setting("cpuset", "cpuset", {V1: value, V2: value}))
    return found


def _memory(limits: Limits) -> list[Setting]:
    found = []
    if limits.mem_limit:
        value = str(limits.mem_limit)
        files = {V1: {"memory.limit_in_bytes": value}, V2: {"memory.max": value}}
        found.append(Setting("mem_limit", "memory", files))
    if limits.memswap_limit:
        unlimited = limits.memswap_limit < 0
        swap = "max" if unlimited else str(limits.memswap_limit - (limits.mem_limit or 0))
        files = {
            V1: {"memory.memsw.limit_in_bytes": str(limits.memswap_limit)},
            V2: {"memory.swap.max": swap},
        }
        found.append(Setting("memswap_limit", "memory", files))
    if limits.mem_reservation:
        value = str(limits.mem_reservation)
        files = {V1: {"memory.soft_limit_in_bytes": value}, V2: {"memory.low": value}}
        found.append(Setting("mem_reservation", "memory", files))
    return found


def weight(shares: int) -> int:
    return 1 + ((shares - 2) * 9999) // 262142


def limits_from(groups: Mapping[Path, int]) -> Limits:
    """Return the limits that the files of an instance's groups (path → version) say."""

    def read(file: str) -> str:
        for group in groups:
            path = group / file
            if path.is_file():
                return path.read_text().strip()
        return ""

    def number(*files: str) -> int | None:
        text = next(filter(None, map(read, files)), "")
        return int(text) if text.isdecimal() and int(text) < _UNLIMITED else None

    quota, period = (read("cpu.max").split() or [read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")])[:2]
    shares, cpu_weight = number("cpu.shares"), number("cpu.weight")
    if shares is None and cpu_weight is not None:
        shares = 2 + ((cpu_weight - 1) * 262142) // 9999
    return Limits(
        cpu_shares=shares,
        cpuset=read("cpuset.cpus") or None,
        cpus=int(quota) / int(period) if quota.isdecimal() else None,
        mem_limit=number("memory.limit_in_bytes", "memory.max"),
        memswap_limit=number("memory.memsw.limit_in_bytes"),
        mem_reservation=number("memory.soft_limit_in_bytes", "memory.low"),
        pids=number("pids.max"),
    )
