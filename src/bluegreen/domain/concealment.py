"""A definition as it is shown, and as what was shown comes back. Pure.

Masked at the one place where domain values become JSON (:func:`bluegreen.api.models.dump`), and restored
where a definition is taken in (:mod:`bluegreen.engine.commands`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from bluegreen.domain import balancer_secrecy, secrecy
from bluegreen.domain.release import Release
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import BalancerSpec, StackSpec

T = TypeVar("T")


def concealed(value: T) -> T:
    """Return a value of the domain with every secret in it masked."""
    shown: T = _SHOWN.get(type(value), _as_it_is)(value)
    return shown


def restored(spec: StackSpec, known: StackSpec | None) -> StackSpec:
    """Return ``spec`` with the secrets of ``known`` where it has the mask: what was read comes back as it is.

    Raises ``UserError`` (``secret_unknown``) where there is none.
    """
    before = known or StackSpec(name=spec.name)
    return replace(
        spec,
        services=tuple(secrecy.restored(one, before.service(one.name)) for one in spec.services),
        balancers=tuple(balancer_secrecy.restored(one, before.balancer(one.name)) for one in spec.balancers),
    )


def _service(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, environment=secrecy.masked(spec.environment, spec.secrets))


def _release(release: Release) -> Release:
    return replace(release, spec=_service(release.spec))


def _stack(spec: StackSpec) -> StackSpec:
    return replace(
        spec,
        services=tuple(map(_service, spec.services)),
        balancers=tuple(map(balancer_secrecy.concealed, spec.balancers)),
    )


def _as_it_is(value: T) -> T:
    return value


_SHOWN: dict[type, Callable[[Any], Any]] = {
    ServiceSpec: _service,
    BalancerSpec: balancer_secrecy.concealed,
    StackSpec: _stack,
    Release: _release,
}
