"""Words for what happens: from a rollout's step to an :class:`~bluegreen.domain.events.Event`.

The only place that makes sentences about rollouts, so that CLI, log and stream tell the same story.
"""

from __future__ import annotations

from bluegreen.domain.events import Event
from bluegreen.domain.instance import Instance
from bluegreen.domain.rollout import Happened, Kind, Phase, Reason, Rollout, skips

_WITHOUT_TRAFFIC = {
    Happened.PROVED: "{target}: healthy",
    Happened.SHIFTED: "{target}: no route leads to it, so no traffic moves",
    Happened.SETTLED: "{target}: release {release} runs",
    Happened.CLOSED: "{target}: release {release} runs",
}
"""A service that no route leads to has no traffic to speak of."""

_FIRST = {Happened.SETTLED: "{target}: release {release} is live"}
"""The first release of all leaves no old color behind."""

_NOISE = frozenset({Happened.SHIFTED, Happened.CLOSED})
"""What says nothing new of a service without traffic: kept in the journal, not shown."""

_LATE = {Happened.PROMOTED: "{target}: promoted by hand; the old color need not be kept warm any longer"}
"""Once all traffic has moved, there is only the bake left to skip."""

_SENTENCES = {
    Happened.PREPARED: "{target}: release {release} is ready to start",
    Happened.STARTED: "{target}: {replicas} instance(s) run; proving them",
    Happened.PROVED: "{target}: healthy, by our probe and by the balancer",
    Happened.STEP_HELD: "{target}: held at its share; the next step follows",
    Happened.SHIFTED: "{target} has all the traffic",
    Happened.SETTLED: "{target}: nothing is in flight on the old color any more",
    Happened.BAKED: "{source}: the way back ends; draining",
    Happened.CLOSED: "{target} is live",
    Happened.DRAINED: "{source}: drained",
    Happened.RETIRED: "{source}: retired; release {release} is live",
    Happened.CLEANED: "{target}: stopped; no traffic had moved",
    Happened.REVERTED: "traffic is back on {source}",
    Happened.CANCELLED: "{target}: aborted by hand",
    Happened.ROLLED_BACK: "{target}: going back to {source}",
    Happened.SUPERSEDED: "{source}: the way back ends early, a newer release follows",
    Happened.FAILED: "{target}: failed: {reason}",
    Happened.PAUSED: "{target}: paused by hand while {phase}; `bluegreen resume {id}` lets it go on",
    Happened.RESUMED: "{target}: goes on by hand",
    Happened.PROMOTED: "{target}: promoted by hand; once proved, it gets all the traffic in one step",
}


def began(rollout: Rollout, now: float) -> Event:
    verb = {Kind.DEPLOY: "deploy", Kind.SWITCH: "switch", Kind.ROLLBACK: "rollback"}[rollout.kind]
    release = f" release {rollout.release}" if rollout.starts_target else ""
    return _event(rollout, "rollout.began", f"{verb}:{release} to {subject(rollout)}", now)


def happened(rollout: Rollout, what: Happened, now: float) -> Event:
    """Return the event for ``what`` after it was applied to ``rollout``."""
    reason = rollout.reason.message if rollout.reason is not None else ""
    sentences = _SENTENCES | (_FIRST if rollout.source is None else {})
    if skips(rollout.phase) == "bake":
        sentences = sentences | _LATE
    if not rollout.routes:
        sentences |= _WITHOUT_TRAFFIC
    message = sentences[what].format(
        target=subject(rollout),
        source=short(rollout.source) if rollout.source is not None else "the old color",
        release=rollout.release,
        replicas=rollout.replicas,
        reason=reason,
        phase=rollout.phase,
        id=rollout.id,
    )
    return _event(rollout, f"rollout.{what}", message, now, level=_level(rollout, what))


def _level(rollout: Rollout, what: Happened) -> str:
    if what in {Happened.FAILED, Happened.CANCELLED}:
        return "error"
    if what is Happened.PAUSED:
        return "warning"  # whoever waits for it is to see why it takes so long
    quiet = what in _NOISE if not rollout.routes else rollout.source is None and what is Happened.CLOSED
    return "debug" if quiet else "info"


def trouble(rollout: Rollout, kind: str, message: str, now: float) -> Event:
    return _event(rollout, kind, message, now, level="warning")


def outcome(rollout: Rollout) -> tuple[int, str]:
    """Return the exit code and the last sentence for a rollout that is final or settled."""
    live = subject(rollout)
    if rollout.phase is Phase.REVERTED:
        back = short(rollout.source) if rollout.source is not None else "nothing"
        asked = rollout.reason is None
        return (0 if asked else 3), f"rolled back: {back} has the traffic"
    if rollout.phase is Phase.ABORTED:
        return 1, "failed before any traffic moved"
    if rollout.settled or rollout.phase is Phase.DONE:
        return 0, f"{live} has all the traffic" if rollout.routes else f"{live} runs"
    return 4, f"held for a person: {rollout.phase}" if rollout.paused else f"not finished: {rollout.phase}"


def reason_lines(reason: Reason) -> list[str]:
    lines = [reason.message, *(f"{label}: {text}" for label, text in reason.evidence)]
    return lines + ([reason.hint] if reason.hint else [])


def subject(rollout: Rollout) -> str:
    """Return what a rollout is about: its pool, or just the service where colors do not matter."""
    return short(rollout.target) if rollout.routes else rollout.service


def short(pool: str) -> str:
    """Return a pool's name without its stack: ``web.blue``; ``webx-green`` for a declared color."""
    service, _, color = pool.partition(".")[2].rpartition(".")
    return service if service.endswith((f"-{color}", f"_{color}")) else f"{service}.{color}"


def _event(rollout: Rollout, kind: str, message: str, now: float, *, level: str = "info") -> Event:
    return Event(
        kind=kind,
        message=message,
        at=now,
        stack=rollout.stack,
        service=rollout.service,
        rollout=rollout.id,
        level=level,
        data={"phase": str(rollout.phase)},
    )


def instance_told(instance: Instance, kind: str, message: str, now: float, level: str = "info") -> Event:
    """Return what is told of one instance."""
    return Event(
        kind=kind,
        message=message,
        at=now,
        stack=instance.stack,
        service=instance.service,
        level=level,
        data={"instance": instance.name},
    )
