"""The rollout machine: phases, events, and the one table that joins them.

Rules of this file: everything that decides *which phase follows which* is in ``TRANSITIONS``; an
illegal pair raises and changes nothing; :func:`apply` is pure. What to *do* in a phase is
:mod:`bluegreen.domain.decide`. The diagram in the documentation is generated from the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bluegreen.domain.errors import Bug
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.spec import ServiceSpec


class Phase(StrEnum):
    PREPARING = "preparing"
    STARTING = "starting"
    PROVING = "proving"
    SHIFTING = "shifting"
    BAKING = "baking"
    DRAINING = "draining"
    RETIRING = "retiring"
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"
    REVERTING = "reverting"
    REVERTED = "reverted"


class Kind(StrEnum):
    """``DEPLOY`` starts a new release and retires the old one; ``SWITCH`` moves traffic between
    pools that exist and stops neither; ``ROLLBACK`` is a deploy or switch that goes back."""

    DEPLOY = "deploy"
    SWITCH = "switch"
    ROLLBACK = "rollback"


class Happened(StrEnum):
    PREPARED = "prepared"
    STARTED = "started"
    PROVED = "proved"
    STEP_HELD = "step_held"
    SHIFTED = "shifted"
    SETTLED = "settled"
    BAKED = "baked"
    CLOSED = "closed"
    DRAINED = "drained"
    RETIRED = "retired"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"
    CLEANED = "cleaned"
    REVERTED = "reverted"
    PAUSED = "paused"
    RESUMED = "resumed"
    PROMOTED = "promoted"


P, H = Phase, Happened

TRANSITIONS: dict[tuple[Phase, Happened], Phase] = {
    (P.PREPARING, H.PREPARED): P.STARTING,
    (P.STARTING, H.STARTED): P.PROVING,
    (P.PROVING, H.PROVED): P.SHIFTING,
    (P.SHIFTING, H.STEP_HELD): P.SHIFTING,
    (P.SHIFTING, H.SHIFTED): P.BAKING,
    (P.BAKING, H.SETTLED): P.BAKING,
    (P.BAKING, H.BAKED): P.DRAINING,
    (P.BAKING, H.SUPERSEDED): P.DRAINING,
    (P.BAKING, H.CLOSED): P.DONE,
    (P.DRAINING, H.DRAINED): P.RETIRING,
    (P.RETIRING, H.RETIRED): P.DONE,
    # Before any traffic moved, a failure only cleans up.
    (P.PREPARING, H.FAILED): P.ABORTING,
    (P.STARTING, H.FAILED): P.ABORTING,
    (P.PROVING, H.FAILED): P.ABORTING,
    (P.PREPARING, H.CANCELLED): P.ABORTING,
    (P.STARTING, H.CANCELLED): P.ABORTING,
    (P.PROVING, H.CANCELLED): P.ABORTING,
    (P.PREPARING, H.SUPERSEDED): P.ABORTING,
    (P.STARTING, H.SUPERSEDED): P.ABORTING,
    (P.PROVING, H.SUPERSEDED): P.ABORTING,
    (P.ABORTING, H.CLEANED): P.ABORTED,
    # From the first moved request on, a failure goes back.
    (P.SHIFTING, H.FAILED): P.REVERTING,
    (P.BAKING, H.FAILED): P.REVERTING,
    (P.DRAINING, H.FAILED): P.REVERTING,
    (P.RETIRING, H.FAILED): P.REVERTING,
    (P.SHIFTING, H.CANCELLED): P.REVERTING,
    (P.BAKING, H.CANCELLED): P.REVERTING,
    (P.SHIFTING, H.ROLLED_BACK): P.REVERTING,
    (P.BAKING, H.ROLLED_BACK): P.REVERTING,
    (P.DRAINING, H.ROLLED_BACK): P.REVERTING,
    (P.REVERTING, H.REVERTED): P.REVERTED,
}

STEERING = (H.PAUSED, H.RESUMED, H.PROMOTED)
"""What a person says of a rollout that stays in its phase: being paused is a state beside the phase."""

STEERABLE = (P.PREPARING, P.STARTING, P.PROVING, P.SHIFTING, P.BAKING, P.DRAINING)
"""Where something is still ahead that can wait. What goes back, or stops the old color, is not held up."""

TRANSITIONS |= {(phase, happened): phase for phase in STEERABLE for happened in STEERING}

FINAL = frozenset({P.DONE, P.ABORTED, P.REVERTED})
BEFORE_TRAFFIC = frozenset({P.PREPARING, P.STARTING, P.PROVING})
AFTER_TRAFFIC = frozenset({P.SHIFTING, P.BAKING, P.DRAINING, P.RETIRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a rollout failed or was ended, with what was seen. ``code`` as in the error reference."""

    code: str
    message: str
    evidence: tuple[tuple[str, str], ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One passage from the pool ``source`` to the pool ``target``. Times are UNIX seconds.

    ``routes`` are those whose traffic moves, all in one step (empty: a service without traffic).
    ``source`` is ``None`` when nothing ran before. ``retire_source`` is false when the source is a
    declared color that stays (Docker Cloud style). ``starts_target`` is false when the target runs
    already. ``step`` indexes ``policy.shares``. ``settled`` turns true once all traffic is on
    the target and no request is left on the source: the moment a deploy has succeeded for users.
    ``paused_at`` is since when a person holds it (0: nobody does), ``held`` how many seconds the present
    wait stood still in pauses that are over; :meth:`clock` is what waits are measured by.
    """

    id: str
    kind: Kind
    stack: str
    service: str
    target: PoolId
    routes: tuple[RouteId, ...] = ()
    source: PoolId | None = None
    release: int = 0
    source_release: int = 0
    replicas: int = 1
    policy: RolloutPolicy = RolloutPolicy()
    starts_target: bool = True
    retire_source: bool = True
    spec: ServiceSpec | None = None
    former: ServiceSpec | None = None
    phase: Phase = Phase.PREPARING
    since: float = 0.0
    created_at: float = 0.0
    step: int = 0
    step_since: float = 0.0
    settled: bool = False
    shifted_at: float = 0.0
    ended_at: float = 0.0
    paused_at: float = 0.0
    held: float = 0.0
    reason: Reason | None = None
    version: int = 0

    @property
    def final(self) -> bool:
        return self.phase in FINAL

    @property
    def steerable(self) -> bool:
        return self.phase in STEERABLE

    @property
    def paused(self) -> bool:
        return self.paused_at > 0 and self.steerable

    def clock(self, now: float) -> float:
        """Return the time by which the present wait is measured: it stands still while paused."""
        return (self.paused_at if self.paused else now) - self.held

    @property
    def share(self) -> int:
        """The percentage of traffic that the target is to have in SHIFTING."""
        if self.source is None:
            return 100  # there is nobody to share with
        shares = self.policy.shares
        return shares[self.step] if self.step < len(shares) else 100


def told(rollout: Rollout) -> Rollout:
    """Return what anybody may be told of a rollout: without definitions, as those hold passwords."""
    return replace(rollout, spec=None, former=None)


def apply(rollout: Rollout, happened: Happened, now: float, reason: Reason | None = None) -> Rollout:
    """Return the rollout after ``happened``. Raises :class:`Bug` for an illegal pair."""
    phase = TRANSITIONS.get((rollout.phase, happened))
    if phase is None:
        raise Bug(
            f"rollout {rollout.id}: {happened} cannot happen while {rollout.phase}",
            code="illegal_transition",
            hint="Traffic was left as it is. Please report this with the output of `bluegreen events`.",
        )
    changed = replace(rollout, phase=phase, version=rollout.version + 1, reason=reason or rollout.reason)
    if happened in STEERING:
        return steer(changed, happened, now)
    if phase is not rollout.phase:
        changed = _begin_wait(replace(changed, since=now), now)
    if phase is Phase.SHIFTING:
        step = rollout.step + 1 if happened is Happened.STEP_HELD else 0
        changed = _begin_wait(replace(changed, step=step, step_since=now), now)
    if happened is Happened.SHIFTED:
        changed = replace(changed, shifted_at=now)
    if happened is Happened.SETTLED:
        changed = replace(changed, settled=True)
    return replace(changed, ended_at=now) if phase in FINAL else changed


def steer(rollout: Rollout, happened: Happened, now: float) -> Rollout:
    """Return the rollout after a person's word; the very same where that says nothing new."""
    if happened is Happened.PAUSED:
        return rollout if rollout.paused else replace(rollout, paused_at=now)
    if happened is Happened.PROMOTED:
        rollout = _promoted(rollout)
    if not rollout.paused:
        return rollout
    return replace(rollout, paused_at=0.0, held=rollout.held + max(now - rollout.paused_at, 0.0))


def skips(phase: Phase) -> str:
    """Return what promoting skips in ``phase``: ``shares``, or the ``bake`` once all traffic has moved."""
    return "bake" if phase in {Phase.BAKING, Phase.DRAINING} else "shares"


def _promoted(rollout: Rollout) -> Rollout:
    """A person calls it good: no share is waited on any more, or the bake; what must be proved still must."""
    if skips(rollout.phase) == "bake":
        return replace(rollout, policy=replace(rollout.policy, bake=0.0))
    return replace(rollout, policy=replace(rollout.policy, shares=(100,)), step=0)


def _begin_wait(rollout: Rollout, now: float) -> Rollout:
    """Let a wait begin at ``now``; where nothing can be paused, a pause ends.

    While paused it begins standing still: with ``held`` so, ``clock`` says ``now`` until it is resumed.
    """
    if not rollout.paused:
        return replace(rollout, paused_at=0.0, held=0.0)
    return replace(rollout, held=rollout.paused_at - now)
