"""Limits that a Docker host can never apply, or did not apply."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.domain.errors import Permanent, UserError
from bluegreen.domain.spec import Limits
from bluegreen.drivers.runtimes.docker import limits

INFO: dict[str, Any] = {
    "NCPU": 2,
    "MemTotal": 1 << 30,
    **dict.fromkeys(("CPUShares", "CPUSet", "CpuCfsQuota", "MemoryLimit", "SwapLimit", "PidsLimit"), True),
}


@pytest.mark.parametrize(
    "possible",
    [
        Limits(),
        Limits(cpuset="0-1", cpus=2.0, mem_limit=1 << 30, memswap_limit=-1, pids=100),
        Limits(mem_limit=6 << 20, memswap_limit=6 << 20, mem_reservation=6 << 20),
    ],
)
def test_what_the_host_has_is_accepted(possible: Limits) -> None:
    limits.check("web", possible, INFO)


@pytest.mark.parametrize(
    ("impossible", "word"),
    [
        (Limits(cpuset="0,2"), "cpuset"),
        (Limits(cpus=2.5), "cpus"),
        (Limits(mem_limit=2 << 30), "mem_limit"),
        (Limits(mem_limit=1 << 20), "mem_limit"),
        (Limits(mem_limit=8 << 20, memswap_limit=7 << 20), "memswap_limit"),
        (Limits(memswap_limit=8 << 20), "memswap_limit"),
        (Limits(mem_limit=8 << 20, mem_reservation=9 << 20), "mem_reservation"),
    ],
)
def test_what_the_host_lacks_is_impossible(impossible: Limits, word: str) -> None:
    with pytest.raises(UserError) as refused:
        limits.check("web", impossible, INFO)
    assert refused.value.code == "limit_impossible"
    assert f"web: the {word} of" in refused.value.message


@pytest.mark.parametrize(
    ("wanted", "flag"),
    [
        (Limits(cpu_shares=2), "CPUShares"),
        (Limits(cpuset="0"), "CPUSet"),
        (Limits(cpus=1.0), "CpuCfsQuota"),
        (Limits(mem_limit=1 << 28), "MemoryLimit"),
        (Limits(mem_limit=1 << 28, memswap_limit=1 << 29), "SwapLimit"),
        (Limits(pids=5), "PidsLimit"),
    ],
)
def test_what_the_kernel_cannot_do_is_unsupported(wanted: Limits, flag: str) -> None:
    with pytest.raises(UserError) as refused:
        limits.check("web", wanted, INFO | {flag: False})
    assert refused.value.code == "limit_unsupported"
    limits.check("web", Limits(), INFO | {flag: False})


def test_a_limit_that_was_dropped_is_noticed() -> None:
    wanted = Limits(mem_limit=100, memswap_limit=200)
    limits.verify("shop-web-r1-1", wanted, {"Memory": 100, "MemorySwap": 200, "CpuShares": 0})
    with pytest.raises(Permanent) as dropped:
        limits.verify("shop-web-r1-1", wanted, {"Memory": 100, "MemorySwap": 0})
    assert dropped.value.code == "limit_not_applied"
    assert "MemorySwap: wanted 200, got 0" in dropped.value.message
