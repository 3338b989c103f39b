"""Limits of an instance through control groups, version 1 and 2, wherever they are writable.

A group is made before the process starts and the process joins it while it waits at the gate, so
that no instruction of the application runs unlimited. Every value is read back: the kernel rounds
some and clips others. File formats: the kernel's Documentation/admin-guide/cgroup-v1 and
cgroup-v2.rst.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.errors import Permanent, UserError
from bluegreen.domain.spec import Limits
from bluegreen.drivers.runtimes.process.cgroup_files import V1, V2, Setting, limits_from, settings

PARENT = "bluegreen"
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where a controller is mounted, and in which version."""

    root: Path
    version: int


def find_hierarchies(mountinfo: str) -> dict[str, Hierarchy]:
    """Return the hierarchy of each controller (proc(5), ``/proc/PID/mountinfo``)."""
    found: dict[str, Hierarchy] = {}
    for line in mountinfo.splitlines():
        mount, _, filesystem = line.partition(" - ")
        kind, _source, options = filesystem.split(" ", 2)
        root = Path(mount.split(" ")[4])
        if kind == "cgroup":
            for controller in options.split(","):
                found[controller] = Hierarchy(root, V1)
        elif kind == "cgroup2":
            with suppress(OSError):
                for controller in (root / "cgroup.controllers").read_text().split():
                    found.setdefault(controller, Hierarchy(root, V2))
    return found


class ControlGroups:
    """Makes, reads and removes the groups of instances. Its methods block: call them in a thread.

    ``owner`` is part of every group's name: several controllers may share a machine, and each may
    only touch its own groups.
    """

    def __init__(self, owner: str, hierarchies: Mapping[str, Hierarchy] | None = None) -> None:
        given = find_hierarchies(MOUNTS.read_text()) if hierarchies is None else hierarchies
        self._owner = owner
        self._hierarchies = dict(given)

    def check(self, service: str, limits: Limits) -> None:
        """Raise ``UserError`` (``limit_unsupported``) for a limit that cannot be set here."""
        for setting in settings(limits):
            try:
                self._parent(setting.controller)
            except (OSError, KeyError) as error:
                raise UserError(
                    f"{service}: the limit {setting.limit} cannot be enforced on processes here",
                    code="limit_unsupported",
                    hint=f"Run the controller where the cgroup controller {setting.controller!r} is "
                    f"writable (root, or a delegated group), use Docker, or leave {setting.limit} out.",
                    evidence=(("controller", setting.controller), ("problem", str(error))),
                ) from error

    def create(self, name: str, limits: Limits) -> None:
        """Make the instance's groups with their limits. Raises ``Permanent`` (``limit_refused``)."""
        if not settings(limits):
            return
        self.check(name, limits)
        self.remove(name)
        for setting in settings(limits):
            group = self._parent(setting.controller) / self._group(name)
            try:
                group.mkdir(exist_ok=True)
                if setting.controller == "cpuset":
                    _inherit_memory_nodes(group, self._hierarchies["cpuset"].version)
            except OSError as error:
                raise _refused(setting, "its group", str(error)) from error
            self._write(group, setting)

    def join(self, name: str, pid: int) -> None:
        """Put a process into the instance's groups, if it has any and the process still lives."""
        for group in self._groups(name):
            try:
                (group / "cgroup.procs").write_text(str(pid))
            except ProcessLookupError:
                return  # a short command may end before it can be put anywhere
            except OSError as error:
                raise Permanent(
                    f"the process of {name} cannot join its control group",
                    code="limit_refused",
                    hint="Look whether the limits can be met together, above all cpuset and mem_limit.",
                    evidence=(("group", str(group)), ("problem", str(error))),
                ) from error

    def limits(self, name: str) -> Limits:
        """Return the limits as the kernel has them now; none for an instance without groups."""
        return limits_from({group: self._version(group) for group in self._groups(name)})

    def oom_kills(self, name: str) -> int:
        """Return how many processes of the instance the kernel killed for want of memory."""
        for group in self._groups(name):
            for file in ("memory.oom_control", "memory.events"):
                with suppress(OSError):
                    lines = (group / file).read_text().splitlines()
                    return sum(int(x.split()[1]) for x in lines if x.startswith("oom_kill "))
        return 0

    def remove(self, name: str) -> None:
        """Remove the instance's groups and kill whatever still is in them."""
        for group in self._groups(name):
            for _ in range(200):
                _kill_all(group)
                try:
                    group.rmdir()
                    break
                except OSError:
                    # A killed process leaves its group only when the kernel is done with it.
                    time.sleep(0.01)

    def _groups(self, name: str) -> list[Path]:
        roots = {h.root for h in self._hierarchies.values()}
        return [group for root in sorted(roots) if (group := root / PARENT / self._group(name)).is_dir()]

    def _group(self, name: str) -> str:
        return f"{name}.{self._owner}"

    def _version(self, group: Path) -> int:
        return next(h.version for h in self._hierarchies.values() if group.parent.parent == h.root)

    def _parent(self, controller: str) -> Path:
        """Return our own group of a controller, made and enabled. Raises ``OSError``, ``KeyError``."""
        hierarchy = self._hierarchies[controller]
        parent = hierarchy.root / PARENT
        if hierarchy.version == V2:
            _enable(hierarchy.root, controller)
        parent.mkdir(exist_ok=True)
        if hierarchy.version == V2:
            _enable(parent, controller)
        elif controller == "cpuset":
            _inherit_cpus(parent)
            _inherit_memory_nodes(parent, V1)
        if not os.access(parent, os.W_OK):
            raise PermissionError(f"{parent} is not writable")
        return parent

    def _write(self, group: Path, setting: Setting) -> None:
        version = self._hierarchies[setting.controller].version
        for file, value in setting.files[version].items():
            try:
                (group / file).write_text(value)
                real = (group / file).read_text().strip()
            except OSError as error:
                raise _refused(setting, value, str(error)) from error
            if not setting.holds(value, real):
                raise _refused(setting, value, f"{group / file} reads {real}")


def _refused(setting: Setting, value: str, problem: str) -> Permanent:
    return Permanent(
        f"the kernel does not accept {setting.limit} = {value}",
        code="limit_refused",
        hint=f"Change {setting.limit} in the stack file.",
        evidence=(("problem", problem),),
    )


def _enable(group: Path, controller: str) -> None:
    control = group / "cgroup.subtree_control"
    if controller not in control.read_text().split():
        control.write_text(f"+{controller}")


def _inherit_cpus(group: Path) -> None:
    """In version 1 a new cpuset is empty and nothing can join it."""
    if not (group / "cpuset.cpus").read_text().strip():
        (group / "cpuset.cpus").write_text((group.parent / "cpuset.cpus").read_text().strip())


def _inherit_memory_nodes(group: Path, version: int) -> None:
    if version == V1 and not (group / "cpuset.mems").read_text().strip():
        (group / "cpuset.mems").write_text((group.parent / "cpuset.mems").read_text().strip())


def _kill_all(group: Path) -> None:
    with suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
