"""Releases, and what the journal remembers of a service between rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.instance import InstanceSpec
from bluegreen.domain.naming import Color, PoolId, instance_name, pool_id
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
    color: Color | None = None
    ports: tuple[int, ...] = ()

    @property
    def pool(self) -> PoolId:
        return pool_id(self.stack, self.service, self.color)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """What is wanted of one service. ``releases`` maps a slot (color, or ``""``) to the number of
    the release that is to run there; a slot that is absent is to be empty.

    ``promoted`` lists the release numbers that had the traffic, newest last: the way back.
    ``stopped`` is a person's wish that nothing of it runs. ``drained`` names instances that a
    person took out of rotation, with the reason.
    """

    stack: str
    name: str
    replicas: int = 1
    releases: Mapping[str, int] = field(default_factory=dict)
    promoted: tuple[int, ...] = ()
    stopped: bool = False
    drained: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0


def instance_spec(release: Release, index: int, aliases: tuple[str, ...] = ()) -> InstanceSpec:
    """Return what a runtime is asked to run for the ``index``-th instance of ``release``."""
    return InstanceSpec(
        name=instance_name(release.stack, release.service, release.number, index),
        stack=release.stack,
        service=release.service,
        release=release.number,
        index=index,
        color=release.color,
        image=release.image,
        config_hash=release.config_hash,
        spec=release.spec,
        aliases=aliases,
    )
