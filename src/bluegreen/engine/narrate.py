"""Words for what happens: from a rollout's step to an :class:`~bluegreen.domain.events.Event`.

The only place that makes sentences about rollouts, so that CLI, log and stream tell the same story.
"""

from __future__ import annotations

from bluegreen.domain.events import Event
from bluegreen.domain.rollout import Happened, Kind, Phase, Reason, Rollout

_WITHOUT_TRAFFIC = {
    Happened.PROVED: "{target}: healthy",
    Happened.SHIFTED: "{target} runs; no route leads to it",
    Happened.SETTLED: "{target}: release {release} is up",
    Happened.CLOSED: "{target}: done",
}

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
}


def began(rollout: Rollout, now: float) -> Event:
    verb = {Kind.DEPLOY: "deploy", Kind.SWITCH: "switch", Kind.ROLLBACK: "rollback"}[rollout.kind]
    release = f" release {rollout.release}" if rollout.starts_target else ""
    return _event(rollout, "rollout.began", f"{verb}:{release} to {short(rollout.target)}", now)


def happened(rollout: Rollout, what: Happened, now: float) -> Event:
    """Return the event for ``what`` after it was applied to ``rollout``."""
    reason = rollout.reason.message if rollout.reason is not None else ""
    sentences = _SENTENCES if rollout.routes else _SENTENCES | _WITHOUT_TRAFFIC
    message = sentences[what].format(
        target=short(rollout.target),
        source=short(rollout.source) if rollout.source is not None else "the old color",
        release=rollout.release,
        replicas=rollout.replicas,
        reason=reason,
    )
    bad = what in {Happened.FAILED, Happened.CANCELLED}
    return _event(rollout, f"rollout.{what}", message, now, level="error" if bad else "info")


def trouble(rollout: Rollout, kind: str, message: str, now: float) -> Event:
    return _event(rollout, kind, message, now, level="warning")


def outcome(rollout: Rollout) -> tuple[int, str]:
    """Return the exit code and the last sentence for a rollout that is final or settled."""
    live = short(rollout.target)
    if rollout.phase is Phase.REVERTED:
        back = short(rollout.source) if rollout.source is not None else "nothing"
        asked = rollout.reason is None
        return (0 if asked else 3), f"rolled back: {back} has the traffic"
    if rollout.phase is Phase.ABORTED:
        return 1, "failed before any traffic moved"
    if rollout.settled or rollout.phase is Phase.DONE:
        return 0, f"{live} has all the traffic" if rollout.routes else f"{live} runs"
    return 4, f"not finished: {rollout.phase}"


def reason_lines(reason: Reason) -> list[str]:
    lines = [reason.message, *(f"{label}: {text}" for label, text in reason.evidence)]
    return lines + ([reason.hint] if reason.hint else [])


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
