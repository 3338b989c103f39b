"""Limits through control groups: the real ones of this machine, and the files of version 2."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bluegreen.domain.capacity import Capacity, check_limits, parse_cpuset
from bluegreen.domain.errors import Permanent, UserError
from bluegreen.domain.instance import Instance
from bluegreen.domain.spec import Limits
from bluegreen.drivers.runtimes.process import ProcessRuntime
from bluegreen.drivers.runtimes.process.cgroup_files import V1, V2, settings, weight
from bluegreen.drivers.runtimes.process.cgroups import ControlGroups, Hierarchy, find_hierarchies
from bluegreen.ports.runtime import Runtime
from tests.support.process_harness import ProcessHarness, pid_of

EVERY = Limits(cpu_shares=512, cpuset="0", cpus=0.5, mem_limit=256 << 20, mem_reservation=64 << 20, pids=50)


def groups_of(instance: Instance) -> list[Path]:
    """Return the folders of the control groups that the instance made for itself (cgroups(7))."""
    mounts = find_hierarchies(Path("/proc/self/mountinfo").read_text())
    found = []
    for line in Path(f"/proc/{pid_of(instance)}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if instance.name in path:
            found.append(mounts[controllers.split(",")[0]].root / path.lstrip("/"))
    return found


class TestRealGroups(ProcessHarness):
    def test_every_limit_is_in_force_before_the_application_begins(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            listed = await self.started(runtime, self.instance(self.spec(limits=EVERY)))
            real = await self.limits_of(runtime, listed.name)
            for field in ("cpu_shares", "cpuset", "cpus", "mem_limit", "mem_reservation", "pids"):
                assert getattr(real, field) == getattr(EVERY, field), field
            assert len(groups_of(listed)) == len({"cpu", "cpuset", "memory", "pids"})

        self.run(scenario)

    def test_children_are_limited_with_their_parent(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            script = "import os; print(sorted(os.sched_getaffinity(0)), flush=True)"
            shell = self.running("sh", "-c", f"{{python}} -c '{script}'; true", limits=Limits(cpuset="1"))
            await self.accepted(runtime, self.instance(shell))
            (listed,) = await runtime.list(self.stack)
            await self.becomes(runtime, listed.name, lambda i: i.exit_code is not None)
            assert isinstance(runtime, ProcessRuntime)
            assert [line async for line in runtime.logs(listed.name)] == ["[1]"]

        self.run(scenario)

    def test_groups_disappear_with_the_instance(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            listed = await self.started(runtime, self.instance(self.spec(limits=EVERY)))
            paths = groups_of(listed)
            assert paths
            assert all(path.is_dir() for path in paths)
            await runtime.remove(listed.name)
            assert not any(path.exists() for path in paths)

        self.run(scenario)

    def test_two_controllers_with_equal_names_do_not_touch_each_others_groups(self, tmp_path: Path) -> None:
        async def main() -> None:
            ours, theirs = ControlGroups("a" * 12), ControlGroups("b" * 12)
            name, limits = f"t{os.getpid()}-web", Limits(pids=10)
            try:
                ours.create(name, limits)
                theirs.remove(name)
                assert ours.limits(name).pids == 10
                assert theirs.limits(name).pids is None
            finally:
                ours.remove(name)
            assert ours.limits(name).pids is None

        asyncio.run(main())


def tree(root: Path, *groups: str) -> Hierarchy:
    """Make folders with the files that a version 2 kernel would put there."""
    for group in ("", "bluegreen", *(f"bluegreen/{name}" for name in groups)):
        folder = root / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.subtree_control").write_text("cpu cpuset memory pids")
        (folder / "cgroup.controllers").write_text("cpu cpuset memory pids")
    return Hierarchy(root, V2)


def test_version_2_gets_the_same_limits_in_its_own_words(tmp_path: Path) -> None:
    hierarchy = tree(tmp_path)
    groups = ControlGroups("owner", dict.fromkeys(("cpu", "cpuset", "memory", "pids"), hierarchy))
    limits = Limits(cpu_shares=1024, cpus=1.5, cpuset="0-1", mem_limit=1 << 20, memswap_limit=3 << 20, pids=9)
    groups.create("web", limits)
    folder = tmp_path / "bluegreen" / "web.owner"
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {
        "cpu.weight": "39",
        "cpu.max": "150000 100000",
        "cpuset.cpus": "0-1",
        "memory.max": str(1 << 20),
        "memory.swap.max": str(2 << 20),
        "pids.max": "9",
    }
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert groups.oom_kills("web") == 2
    assert groups.limits("web").cpus == 1.5
    groups.join("web", 4711)
    assert (folder / "cgroup.procs").read_text() == "4711"


def test_shares_become_weights_over_the_whole_range() -> None:
    assert (weight(2), weight(262144)) == (1, 10000)


def test_hierarchies_are_found_in_both_versions(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    mountinfo = (
        "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 30 0:28 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
        f"33 30 0:29 / {tmp_path} rw - cgroup2 cgroup2 rw,nsdelegate\n"
        "34 30 0:30 / /tmp rw - tmpfs tmpfs rw\n"
    )
    found = find_hierarchies(mountinfo)
    assert found["cpu"] == Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), V1)
    assert found["memory"].version == V1, "a controller that version 1 holds is not in version 2"
    assert found["pids"] == Hierarchy(tmp_path, V2)


@pytest.mark.parametrize(
    ("limits", "word"),
    [(Limits(mem_limit=1 << 20), "mem_limit"), (Limits(cpuset="0"), "cpuset"), (Limits(pids=3), "pids")],
)
def test_without_control_groups_a_limit_is_refused_by_its_name(limits: Limits, word: str) -> None:
    with pytest.raises(UserError) as refused:
        ControlGroups("owner", {}).check("web", limits)
    assert refused.value.code == "limit_unsupported"
    assert word in refused.value.message
    assert "Docker" in refused.value.hint
    ControlGroups("owner", {}).check("web", Limits())


def test_a_value_that_the_kernel_changes_is_refused_with_what_it_says() -> None:
    groups = ControlGroups("owner")
    name = f"t{os.getpid()}-refused"
    try:
        with pytest.raises(Permanent) as refused:
            groups.create(name, Limits(cpuset="0,4000"))
        assert refused.value.code == "limit_refused"
        assert refused.value.evidence
    finally:
        groups.remove(name)


def test_bytes_may_be_rounded_down_to_a_page_and_no_more() -> None:
    (memory,) = settings(Limits(mem_limit=10_000_000))
    assert memory.holds("10000000", str(10_000_000 // 4096 * 4096))
    assert not memory.holds("10000000", "9000000")


@pytest.mark.parametrize(("text", "cpus"), [("0", {0}), ("0,2-3", {0, 2, 3}), (" 1 , 3", {1, 3})])
def test_a_cpuset_is_read(text: str, cpus: set[int]) -> None:
    assert parse_cpuset(text) == cpus


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "0,,1", "0-99999999"])
def test_what_is_no_cpuset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no list of CPUs"):
        parse_cpuset(text)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(cpuset="nonsense"),
        Limits(cpuset="4"),
        Limits(cpus=4.5),
        Limits(mem_limit=2 << 30),
        Limits(mem_limit=-5),
        Limits(mem_reservation=2 << 30),
        Limits(cpu_shares=1),
        Limits(mem_limit=1 << 20, memswap_limit=1 << 19),
        Limits(memswap_limit=1 << 20),
    ],
)
def test_what_a_host_cannot_give_is_refused(limits: Limits) -> None:
    with pytest.raises(UserError) as refused:
        check_limits("web", limits, Capacity(cpus=frozenset(range(4)), memory=1 << 30))
    assert refused.value.code == "limit_impossible"


def test_zero_means_no_limit() -> None:
    none = Limits(cpu_shares=0, cpuset="", cpus=0.0, mem_limit=0, memswap_limit=0, pids=0)
    check_limits("web", none, Capacity(cpus=frozenset({0}), memory=1 << 20))
    assert settings(none) == []
