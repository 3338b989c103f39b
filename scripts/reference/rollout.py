"""``reference/rollout.md`` and the diagram of ``explanation/how-a-release-goes.md``: from the table
of transitions and the defaults of the policy."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.rollout import (
    AFTER_TRAFFIC,
    BEFORE_TRAFFIC,
    FINAL,
    STEERABLE,
    STEERING,
    TRANSITIONS,
    Happened,
    Phase,
)
from reference.tables import made_from, table

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"(<!-- diagram: .*? -->\n).*?(<!-- end of diagram -->)", re.DOTALL)

_PHASES = {
    Phase.PREPARING: "The image is fetched if missing and pinned; limits are checked; dependencies awaited.",
    Phase.STARTING: "The new color's instances are brought to running.",
    Phase.PROVING: "Our probe finds every instance healthy, and the balancer's own check sees it up.",
    Phase.SHIFTING: "Traffic moves: all of it in one step, or share by share.",
    Phase.BAKING: "The new color has all traffic; the old one is warm and the way back is one switch.",
    Phase.DRAINING: "What is still in flight on the old color ends, or the drain time passes.",
    Phase.RETIRING: "The old color's instances are stopped and removed.",
    Phase.DONE: "Final: the new color is live.",
    Phase.ABORTING: "No traffic had moved: what was started is cleaned up.",
    Phase.ABORTED: "Final: everything is as before.",
    Phase.REVERTING: "Traffic goes back first, in one step; then the new color drains and is stopped.",
    Phase.REVERTED: "Final: the old color has the traffic.",
}

_EVENTS = {
    Happened.PREPARED: "the release can run here, and is recorded",
    Happened.STARTED: "all instances run",
    Happened.PROVED: "all instances are healthy, by our probe and by the balancer",
    Happened.STEP_HELD: "a canary's share was held for its time",
    Happened.SHIFTED: "the balancer confirms that the new color has all traffic",
    Happened.SETTLED: "nothing is in flight on the old color any more: the deploy has succeeded for users",
    Happened.BAKED: "the bake time passed",
    Happened.CLOSED: "there is nothing to retire (a switch, or a first release)",
    Happened.DRAINED: "the old pool is idle, or the drain time passed",
    Happened.RETIRED: "no instance of the old color is left",
    Happened.FAILED: "a check, a deadline or a refusal, with its reason",
    Happened.CANCELLED: "a person said `abort`",
    Happened.ROLLED_BACK: "a person said `rollback`",
    Happened.SUPERSEDED: "a newer command takes over",
    Happened.CLEANED: "nothing of the failed release is left",
    Happened.REVERTED: "the old color has the traffic and the failed release is gone",
    Happened.PAUSED: "a person said `pause`: it goes no further on its own",
    Happened.RESUMED: "a person said `resume`: it goes on, with the time that was left",
    Happened.PROMOTED: "a person said `promote`: the shares, or the bake, are not waited on any more",
}


def render() -> str:
    parts = [
        made_from("bluegreen.domain.rollout and bluegreen.domain.policy"),
        "# The rollout\n\nWhy it is so: [how a release goes](../explanation/how-a-release-goes.md).\n",
        diagram(),
        "## Phases\n",
        table(("phase", "traffic", "what happens"), _phase_rows()),
        "## Transitions\n\nEvery other pair is illegal: it raises and changes nothing.\n",
        table(("in", "when", "to"), _transition_rows()),
        "## What can happen\n",
        table(("event", "means"), ((f"`{h}`", _EVENTS[h]) for h in Happened)),
        "## Bounds\n\nSet per service under `x-bluegreen`; seconds here, `30s` or `5m` in the file.\n",
        table(("bound", "default"), _policy_rows()),
    ]
    return "\n".join(parts)


def diagram() -> str:
    """Return the machine as a mermaid state diagram; parallel arrows share one label.

    What leaves every phase as it is (pausing, for example) would only hide the others.
    """
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for (start, happened), end in TRANSITIONS.items():
        if happened in STEERING:
            continue
        arrows.setdefault((start, end), []).append(happened.value)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.PREPARING}"]
    lines += [f"    {start} --> {end}: {', '.join(names)}" for (start, end), names in arrows.items()]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in FINAL]
    return "\n".join([*lines, "```\n"])


def fill(page: str) -> str:
    """Return the hand-written page with its diagram as the table has it now."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    filled, count = _BLOCK.subn(lambda found: f"{found[1]}{diagram()}{found[2]}", text)
    if count != 1:
        raise SystemExit(f"docs/{page} has {count} places for the diagram; one is needed")
    return filled


def _phase_rows() -> list[tuple[str, str, str]]:
    traffic = {p: "has not moved" for p in BEFORE_TRAFFIC} | {p: "moves or has moved" for p in AFTER_TRAFFIC}
    return [(f"`{p}`", traffic.get(p, ""), _PHASES[p]) for p in Phase]


def _transition_rows() -> list[tuple[str, str, str]]:
    rows = [
        (f"`{start}`", f"`{event}`", f"`{end}`")
        for (start, event), end in TRANSITIONS.items()
        if event not in STEERING
    ]
    phases, said = (", ".join(f"`{name}`" for name in names) for names in (STEERABLE, STEERING))
    return [*rows, (phases, said, "the same")]


def _policy_rows() -> list[tuple[str, str]]:
    names = {"shares": "strategy"}
    return [(f"`{names.get(f.name, f.name)}`", _shown(f.default)) for f in fields(RolloutPolicy)]


def _shown(value: object) -> str:
    if value == (100,):
        return "`bluegreen`: 100 % in one step"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
