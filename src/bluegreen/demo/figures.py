"""The demo in numbers: what ``bluegreen demo --json`` prints, and the verdict over it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bluegreen.load import Result
from bluegreen.load.result import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run of users came to, over a switch and the way back."""

    result: Result
    runtime: str
    balancer: str

    @property
    def there(self) -> Switch:
        return self.result.switches[0]

    @property
    def back(self) -> Switch:
        return self.result.switches[1]

    @property
    def moved(self) -> bool:
        """Whether users really got the other version, and then the first one again."""
        return self.there.new is not None and self.back.new == self.there.old

    @property
    def exit_code(self) -> int:
        """1 when any request failed or the traffic did not move as it was told to, else 0."""
        return 0 if self.result.failed == 0 and self.moved else 1

    def document(self) -> dict[str, Any]:
        """Return the one JSON object of ``--json``; times are milliseconds, ``null`` if never seen."""
        return {
            "requests": self.result.requests,
            "failed": self.result.failed,
            "failures_by_class": dict(self.result.failures_by_class),
            **_seen(self.there),
            "runtime": self.runtime,
            "balancer": self.balancer,
            "back": _seen(self.back),
        }

    def sentence(self) -> str:
        """Return the summary, which ends in how many requests failed."""
        there, back = self.there, self.back
        if not self.moved:
            what = f"the traffic did not move as told: {there.old} → {there.new} → {back.new}"
        else:
            what = (
                f"{there.old} → {there.new}: first new answer after {_ms(there.first_new_ms)}, "
                f"versions mixed for {_ms(there.mixed_ms)},\n"
                f"done after {_ms(there.command_ms)} (the old color first ended what was in flight); "
                f"back: done after {_ms(back.command_ms)}"
            )
        return f"{what}\n{self.result.requests:,} requests, {self.result.failed} failed"


def _seen(switch: Switch) -> dict[str, Any]:
    return {
        "switch_ms": switch.command_ms,
        "first_new_ms": switch.first_new_ms,
        "mixed_ms": switch.mixed_ms,
        "p99_before_ms": switch.before.p99_ms,
        "p99_during_ms": switch.during.p99_ms,
        "p99_after_ms": switch.after.p99_ms,
        "from": switch.old,
        "to": switch.new,
    }


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f} ms"
