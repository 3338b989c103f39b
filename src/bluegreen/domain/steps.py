"""What can be done to the world: absolute, idempotent, each safe to repeat after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.domain.naming import PoolId, RouteId


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the release runnable: image here and pinned, limits possible."""


@dataclass(frozen=True, slots=True)
class StartPool:
    """``replicas`` instances of the rollout's release run in ``pool``."""

    pool: PoolId
    replicas: int


@dataclass(frozen=True, slots=True)
class Admit:
    """The balancer knows every healthy instance of ``pool`` (which may have no traffic)."""

    pool: PoolId


@dataclass(frozen=True, slots=True)
class SetWeights:
    """Each of ``routes`` has exactly these shares, all changed in one step."""

    routes: tuple[RouteId, ...]
    weights: Mapping[PoolId, int]


@dataclass(frozen=True, slots=True)
class StopPool:
    """No instance of ``pool`` is known to the balancer, and none exists."""

    pool: PoolId


@dataclass(frozen=True, slots=True)
class Cut:
    """No connection is open to ``pool`` any more, whether its request had ended or not."""

    pool: PoolId


Step = Prepare | StartPool | Admit | SetWeights | StopPool | Cut


def describe(step: Step) -> str:
    """Return one short sentence for people."""
    match step:
        case Prepare():
            return "prepare the image and check the limits"
        case StartPool(pool, replicas):
            return f"run {replicas} instance(s) in {pool}"
        case Admit(pool):
            return f"put the instances of {pool} behind the balancer"
        case SetWeights(routes, weights):
            shares = ", ".join(f"{pool} {share} %" for pool, share in weights.items()) or "nothing"
            return f"give {', '.join(routes)} to {shares}"
        case Cut(pool):
            return f"close the connections that are still open to {pool}"
        case StopPool(pool):
            return f"stop the instances of {pool}"
