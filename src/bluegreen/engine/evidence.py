"""What a failure's message must hold besides the verdict: the last log lines of what failed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.facts import Facts, InstanceFacts
from bluegreen.domain.rollout import Reason
from bluegreen.ports.runtime import Console

LINES = 12
LOG_DEADLINE = 2.0


class Evidence:
    def __init__(self, console: Console) -> None:
        self._console = console

    async def enrich(self, reason: Reason, facts: Facts) -> Reason:
        """Return ``reason`` with the exit code, if nobody had it yet, and the last lines of the instance
        it is about: the first that it names (it may be well again by now), else one that is not well."""
        named = {label for label, _ in reason.evidence}
        about = [i for i in facts.target.instances if i.instance.name in named]
        found = about or [i for i in facts.target.instances if not i.well(facts.target.check, facts.now)]
        if not found:
            return reason
        instance = found[0].instance
        known = "\n".join((reason.message, *(text for _, text in reason.evidence)))
        code = "" if instance.exit_code is None else f"exit code {instance.exit_code}"
        ended = () if code in known else ((instance.name, f"ended with {code}"),)
        shown = tuple((f"{instance.name} log", line) for line in await self._tail(found[0]))
        return replace(reason, evidence=reason.evidence + ended + shown)

    async def _tail(self, facts: InstanceFacts) -> list[str]:
        try:
            async with asyncio.timeout(LOG_DEADLINE):
                return [line async for line in self._console.logs(facts.instance.name, tail=LINES)]
        except (BluegreenError, TimeoutError):
            return []  # the log is an extra: a failure without it is still reported
