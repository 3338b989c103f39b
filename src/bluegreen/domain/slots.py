"""Which release is wanted in which color, as a rollout proceeds.

Recorded in the same transaction as the rollout's own step, so that the two can never disagree.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.naming import Color, color_of
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import AFTER_TRAFFIC, BEFORE_TRAFFIC, Happened, Phase, Rollout

KEPT_PROMOTIONS = 20
"""How many former live releases a service remembers as ways back."""


def after(record: ServiceRecord, rollout: Rollout, happened: Happened) -> ServiceRecord | None:
    """Return the service's record after ``happened``; ``None`` when it does not change.

    ``record`` is that of the rollout's own service: the one its target belongs to.
    """
    match happened:
        case Happened.PREPARED if rollout.starts_target:
            releases = {**record.releases, color_of(rollout.target): rollout.release}
            return _next(replace(record, releases=releases, stopped=False))
        case Happened.CLEANED | Happened.REVERTED if rollout.starts_target:
            kept = tuple(n for n in record.promoted if n != rollout.release)
            return _next(replace(_without(record, color_of(rollout.target)), promoted=kept))
        case Happened.RETIRED if rollout.source is not None:
            return _next(_without(record, color_of(rollout.source)))
        case Happened.SETTLED if rollout.starts_target:
            promoted = (*(n for n in record.promoted if n != rollout.release), rollout.release)
            return _next(replace(record, promoted=promoted[-KEPT_PROMOTIONS:]))
        case _:
            return None


def tended(record: ServiceRecord, rollout: Rollout | None) -> dict[Color, int]:
    """Return the colors whose instances the service's upkeep may start and stop, with their release.

    A color that a rollout is bringing up, taking down or about to replace belongs to the rollout.
    """
    colors = dict(record.releases)
    if rollout is None or rollout.final or not rollout.starts_target:
        return colors
    if rollout.phase in BEFORE_TRAFFIC | {Phase.SHIFTING, Phase.ABORTING, Phase.REVERTING}:
        colors.pop(color_of(rollout.target), None)
    stopping = {Phase.DRAINING, Phase.RETIRING}
    if rollout.policy.stop_first:
        stopping |= BEFORE_TRAFFIC | AFTER_TRAFFIC
    if rollout.source is not None and rollout.phase in stopping:
        colors.pop(color_of(rollout.source), None)
    return colors


def _without(record: ServiceRecord, color: Color) -> ServiceRecord:
    return replace(record, releases={c: n for c, n in record.releases.items() if c is not color})


def _next(record: ServiceRecord) -> ServiceRecord:
    return replace(record, generation=record.generation + 1)
