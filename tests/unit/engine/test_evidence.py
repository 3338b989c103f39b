"""What a failure is told with, besides the verdict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from bluegreen.domain.errors import Temporary
from bluegreen.domain.health import Verdict
from bluegreen.domain.rollout import Reason
from bluegreen.engine.evidence import Evidence
from tests.unit.domain.cases import GREEN, facts, one, view

REASON = Reason(code="went_bad", message="it turned bad", hint="Mend it.")


class Console:
    """Says of each instance that it is that instance."""

    def __init__(self, broken: bool = False) -> None:
        self._broken = broken

    async def logs(self, name: str, *, tail: int = 100, follow: bool = False) -> AsyncIterator[str]:
        if self._broken:
            raise Temporary("away", code="docker_unreachable")
        yield f"I am {name}"

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        raise NotImplementedError


def enriched(reason: Reason, *found: object, console: Console | None = None) -> list[tuple[str, str]]:
    seen = facts(target=view(GREEN, *found))  # type: ignore[arg-type]
    return list(asyncio.run(Evidence(console or Console()).enrich(reason, seen)).evidence)


def test_the_log_is_that_of_the_instance_the_reason_names_even_if_it_is_well_again() -> None:
    reason = replace(REASON, evidence=(("shop-web-r2-2", "restarting"),))
    evidence = enriched(reason, one(GREEN), one(GREEN, 2, restarts=1, exit_code=5))
    assert evidence[1:] == [
        ("shop-web-r2-2", "ended with exit code 5"),
        ("shop-web-r2-2 log", "I am shop-web-r2-2"),
    ]


def test_an_exit_code_that_was_told_is_not_told_again() -> None:
    reason = replace(REASON, evidence=(("shop-web-r2-1", "exited (exit code 5)"),))
    evidence = enriched(reason, one(GREEN, restarts=1, exit_code=5))
    assert evidence[1:] == [("shop-web-r2-1 log", "I am shop-web-r2-1")]


def test_where_no_instance_is_named_the_first_that_is_not_well_speaks() -> None:
    assert enriched(REASON, one(GREEN), one(GREEN, 2, verdict=Verdict.SICK)) == [
        ("shop-web-r2-2 log", "I am shop-web-r2-2")
    ]
    assert enriched(REASON, one(GREEN)) == []


def test_a_log_that_cannot_be_read_hides_nothing_else() -> None:
    sick = one(GREEN, verdict=Verdict.SICK, exit_code=3)
    assert enriched(REASON, sick, console=Console(broken=True)) == [
        ("shop-web-r2-1", "ended with exit code 3")
    ]
