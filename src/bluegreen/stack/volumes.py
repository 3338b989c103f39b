"""Volumes, configs and secrets of a service as mounts."""

from __future__ import annotations

import os
from pathlib import Path

from bluegreen.domain.spec import Mount
from bluegreen.stack.layers import Dialect
from bluegreen.stack.models.compose import ComposeService, ComposeTop, FileKeys
from bluegreen.stack.models.compose_parts import FileReferenceKeys
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.problems import suggest
from bluegreen.stack.tree import Report
from bluegreen.stack.values import VolumeText


def mounts_of(
    service: CommonService, stack: str, dialect: Dialect, top: ComposeTop, report: Report
) -> tuple[Mount, ...]:
    """Return the mounts of ``service``; relative paths are relative to the file that names them."""
    found = [
        _mount(volume, index, stack, dialect, top, report) for index, volume in enumerate(service.volumes)
    ]
    if isinstance(service, ComposeService):
        found += _files(service.configs, "configs", top.configs, "/", report)
        found += _files(service.secrets, "secrets", top.secrets, "/run/secrets/", report)
    targets = [mount.target for mount in found]
    for index, target in enumerate(targets):
        if target in targets[:index]:
            report.error("duplicate_mount", f"two volumes are mounted at {target}", "volumes")
    return tuple(found)


def _mount(
    volume: VolumeText, index: int, stack: str, dialect: Dialect, top: ComposeTop, report: Report
) -> Mount:
    source = volume.source
    if volume.is_path and source is not None:
        folder = Path(report.mark("volumes", index).file).parent
        source = os.path.abspath(folder / os.path.expanduser(source))
    elif source is not None:
        source = _named(source, index, stack, dialect, top, report)
    return Mount(target=volume.target, source=source, read_only=volume.read_only)


def _named(name: str, index: int, stack: str, dialect: Dialect, top: ComposeTop, report: Report) -> str:
    declared = top.volumes.get(name)
    if declared is None:
        if dialect is Dialect.COMPOSE:
            hint = suggest(name, top.volumes) or f"add `volumes: {{{name}: }}` at the top level"
            report.error("unknown_volume", f"there is no volume {name!r}", "volumes", index, hint=hint)
        return f"{stack}_{name}"
    if declared.name:
        return declared.name
    return name if declared.external else f"{stack}_{name}"


def _files(
    references: tuple[FileReferenceKeys, ...],
    kind: str,
    declared: dict[str, FileKeys],
    folder: str,
    report: Report,
) -> list[Mount]:
    mounts = []
    for index, reference in enumerate(references):
        entry = declared.get(reference.source)
        if entry is None:
            hint = suggest(reference.source, declared) or f"add it under `{kind}:` at the top level"
            message = f"there is no entry {reference.source!r} under {kind}"
            report.error(f"unknown_{kind[:-1]}", message, kind, index, hint=hint)
        elif entry.file is None:
            message = f"{kind}.{reference.source} names no file"
            report.error(
                "missing_key", message, kind, index, hint=f"add `file:` to {kind}.{reference.source}"
            )
        else:
            base = Path(report.mark(kind, index).file).parent
            target = reference.target or reference.source
            path = target if target.startswith("/") else folder + target
            mounts.append(Mount(target=path, source=os.path.abspath(base / entry.file), read_only=True))
    return mounts
