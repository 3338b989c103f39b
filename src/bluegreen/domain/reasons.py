"""Why a rollout failed, built from what was seen. Logs are added by the engine."""

from __future__ import annotations

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.facts import Facts, InstanceFacts, PoolView
from bluegreen.domain.rollout import Reason, Rollout
from bluegreen.domain.routing import ServerHealth


def from_error(error: BluegreenError) -> Reason:
    return Reason(code=error.code, message=error.message, evidence=error.evidence, hint=error.hint)


def crashed(facts: InstanceFacts) -> Reason:
    instance = facts.instance
    if instance.oom_killed:
        return _out_of_memory(facts)
    return Reason(
        code="instance_exited",
        message=f"{instance.name} exited{_exit(facts)}",
        evidence=seen(facts),
        hint="Read the last log lines, mend the release, then deploy again.",
    )


def crash_looping(facts: InstanceFacts) -> Reason:
    instance = facts.instance
    if instance.oom_killed:
        return _out_of_memory(facts)
    return Reason(
        code="crash_loop",
        message=f"{instance.name} keeps ending: restarted {_times(instance.restarts)}{_exit(facts)}",
        evidence=seen(facts),
        hint="Read the last log lines, mend the release, then deploy again.",
    )


def _out_of_memory(facts: InstanceFacts) -> Reason:
    return Reason(
        code="out_of_memory",
        message=f"{facts.instance.name} was killed because it needs more memory than its limit{_exit(facts)}",
        evidence=seen(facts),
        hint="Raise mem_limit or make the application use less memory, then deploy again.",
    )


def never_healthy(rollout: Rollout, facts: Facts) -> Reason:
    pool = facts.target
    sick = [i for i in pool.instances if not i.well(pool.check, facts.now)]
    well = len(pool.instances) - len(sick)
    waited = round(rollout.clock(facts.now) - rollout.since)
    return Reason(
        code="never_healthy",
        message=f"{well} of {rollout.replicas} instances healthy after {waited} s",
        evidence=facts.down + tuple(pair for one in sick for pair in seen(one)),
        hint="Check path, port and start time; `x-bluegreen: {start_deadline: …}` gives it longer.",
    )


def not_healthy(pool: PoolView, now: float) -> Reason:
    sick = [i for i in pool.instances if not i.well(pool.check, now)]
    return Reason(
        code="target_unhealthy",
        message=f"{pool.id} cannot take the traffic: "
        f"{len(pool.instances) - len(sick)} of {len(pool.instances)} instances healthy",
        evidence=tuple(pair for facts in sick for pair in seen(facts)),
        hint="Mend or redeploy that color first; the live one keeps its traffic.",
    )


def no_port(facts: InstanceFacts) -> Reason:
    service = facts.instance.service
    return Reason(
        code="no_port",
        message=f"{service} is behind the balancer but no port is known on which it answers",
        evidence=seen(facts),
        hint=f"Add `expose: ['3000']` to {service}, or EXPOSE the port in its image.",
    )


def balancer_disagrees(pool: PoolView) -> Reason:
    down = [i for i in pool.instances if not i.up]
    return Reason(
        code="balancer_check_failed",
        message="our probe passes but the balancer's own check does not",
        evidence=tuple(
            pair
            for i in down
            for pair in (
                (i.instance.name, i.server.last_check if i.server else "not known to the balancer"),
                *_probed(i),
            )
        ),
        hint="Compare HTTP_CHECK with what the application answers to the balancer.",
    )


def went_bad(pool: PoolView, now: float) -> Reason:
    sick = [i for i in pool.instances if not i.well(pool.check, now)]
    gone = () if pool.instances else ((str(pool.id), "no instance is left"),)
    return Reason(
        code="went_bad",
        message=f"{pool.id} turned unhealthy after it received traffic",
        evidence=gone + tuple(pair for facts in sick for pair in seen(facts)),
        hint="The previous color has the traffic again. Mend the release, then deploy again.",
    )


def recorded_too_late() -> Reason:
    return Reason(
        code="recorded_too_late",
        message="the journal took its beginning only after whoever asked was told that it had not begun",
        hint="Ask again, now that the journal answers.",
    )


def deadline(rollout: Rollout, what: str, seconds: float) -> Reason:
    return Reason(
        code="deadline",
        message=f"{what} took longer than {seconds:g} s",
        hint="Look at `bluegreen events`; raise start_deadline if it only needs longer.",
    )


def dependency_failed(name: str) -> Reason:
    return Reason(
        code="dependency_failed",
        message=f"{name}, on which this service depends, did not come up",
        hint=f"See why with `bluegreen history {name}`, mend it, then run the same command again.",
    )


def seen(facts: InstanceFacts) -> tuple[tuple[str, str], ...]:
    """Return what was seen of one instance, in the order a person should read it."""
    instance = facts.instance
    again = f", restarted {_times(instance.restarts)}" if instance.restarts else ""
    rows = [(instance.name, f"{instance.state}{again}{_exit(facts)}")]
    if instance.error:
        rows.append(("runtime", instance.error))
    rows += _probed(facts)
    if facts.server is not None and facts.server.health is ServerHealth.DOWN:
        rows.append(("balancer's check", facts.server.last_check))
    return tuple(rows)


def _probed(facts: InstanceFacts) -> list[tuple[str, str]]:
    return [] if facts.health.last is None else [("last probe", facts.health.last.describe())]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _exit(facts: InstanceFacts) -> str:
    code = facts.instance.exit_code
    return "" if code is None else f" (exit code {code})"
