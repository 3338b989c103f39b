"""Releases, and what the journal remembers of a service between rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.instance import InstanceSpec
from bluegreen.domain.naming import Color, instance_name
from bluegreen.domain.override import Override
from bluegreen.domain.spec import ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An immutable, numbered version of a service: spec, resolved image and configuration hash."""

    stack: str
    service: str
    number: int
    spec: ServiceSpec
    image: str
    config_hash: str
    created_at: float
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """What is wanted of one service. ``releases`` maps a color to the number of the release that is
    to run there; a color that is absent is to be empty.

    ``promoted`` lists the release numbers that had the traffic, newest last: the way back.
    ``stopped`` is a person's wish that nothing of it runs. ``overrides`` holds what a person said of
    single instances, by name. ``recycled`` are the times (UNIX seconds) at which the agent restarted an
    instance, oldest first, as far back as its budget reaches.
    """

    stack: str
    name: str
    replicas: int = 1
    releases: Mapping[Color, int] = field(default_factory=dict)
    promoted: tuple[int, ...] = ()
    stopped: bool = False
    overrides: Mapping[str, Override] = field(default_factory=dict)
    recycled: tuple[float, ...] = ()
    generation: int = 0


def instance_spec(release: Release, color: Color, index: int, aliases: tuple[str, ...] = ()) -> InstanceSpec:
    """Return what a runtime is asked to run for the ``index``-th instance of ``release``."""
    return InstanceSpec(
        name=instance_name(release.stack, release.service, release.number, index),
        stack=release.stack,
        service=release.service,
        release=release.number,
        index=index,
        color=color,
        image=release.image,
        config_hash=release.config_hash,
        spec=release.spec,
        aliases=aliases,
    )
