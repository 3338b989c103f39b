"""A prober that sees what a test told it to see.

It passes the same contract suite as the real one (:mod:`bluegreen.testing.prober_contract`). An
address of which nothing was said refuses the connection, as a free port does.
"""

from __future__ import annotations

import asyncio
import itertools
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Outcome, ProbeResult
from bluegreen.ports.prober import Prober


@dataclass(frozen=True, slots=True)
class _Target:
    """``statuses`` are answered one after the other, the last one for ever; empty: it never answers.
    ``deaf``: connections are neither accepted nor refused."""

    statuses: tuple[int, ...]
    body: str = ""
    tls: bool = False
    deaf: bool = False


class FakeProber:
    """See the module. ``calls`` holds host, port and check of every probe, oldest first.

    ``now`` gives UNIX seconds; without it they are counted. No time passes, not even in a timeout.
    """

    def __init__(self, *, now: Callable[[], float] | None = None) -> None:
        ticks = itertools.count(1_700_000_000)
        self.calls: list[tuple[str, int, HealthCheck]] = []
        self._now = now or (lambda: float(next(ticks)))
        self._targets: dict[tuple[str, int], _Target] = {}
        self._blind = ""
        self._seeing = asyncio.Event()
        self._seeing.set()

    async def probe(self, host: str, port: int, check: HealthCheck) -> ProbeResult:
        port = check.port or port
        self.calls.append((host, port, check))
        await asyncio.sleep(0)  # the real one gives way here too: let others interleave
        await self._seeing.wait()
        outcome, status, body, error = self._look(host, port, check)
        return ProbeResult(
            outcome=outcome,
            url=_url(host, port, check),
            at=self._now(),
            status=status,
            body=body[:200],
            error=error,
        )

    # -- what a test can do to it --------------------------------------------------------------

    def serve(self, host: str, port: int, *statuses: int, body: str = "", tls: bool = False) -> None:
        """Answer from now on: with each status once (200 if none is given), then always with the last."""
        self._targets[host, port] = _Target(statuses or (200,), body, tls)

    def silence(self, host: str, port: int) -> None:
        """Accept connections from now on and never answer."""
        self._targets[host, port] = _Target(())

    def deafen(self, host: str, port: int) -> None:
        """Neither accept nor refuse connections from now on."""
        self._targets[host, port] = _Target((), deaf=True)

    def refuse(self, host: str, port: int) -> None:
        """Refuse connections from now on."""
        self._targets.pop((host, port), None)

    def blind(self, reason: str = "too many open files") -> None:
        """Fail by the prober's own fault from now on, until :meth:`see`."""
        self._blind = reason

    def see(self) -> None:
        self._blind = ""

    def freeze(self) -> None:
        """Let every probe wait until :meth:`thaw`."""
        self._seeing.clear()

    def thaw(self) -> None:
        self._seeing.set()

    # -- inside --------------------------------------------------------------------------------

    def _look(self, host: str, port: int, check: HealthCheck) -> tuple[Outcome, int | None, str, str]:
        """Return outcome, status, body and error."""
        if check.kind is CheckKind.NONE:
            return Outcome.PASS, None, "", ""
        if check.kind is CheckKind.EXEC:
            return Outcome.UNKNOWN, None, "", "a command inside the instance cannot be asked from outside"
        if self._blind:
            return Outcome.UNKNOWN, None, "", self._blind
        target = self._targets.get((host, port))
        error = "connection refused" if target is None else _unanswered(target, check)
        if target is None or error:
            return Outcome.FAIL, None, "", error
        if check.kind is CheckKind.TCP:
            return Outcome.PASS, None, "", ""
        status, *later = target.statuses
        if later:
            self._targets[host, port] = replace(target, statuses=tuple(later))
        return _answered(status, target.body, check)


def _unanswered(target: _Target, check: HealthCheck) -> str:
    """Return why ``target`` gives no answer to ``check``; empty if it does."""
    if target.deaf:
        own = check.connect_timeout
        allowed = check.timeout if own is None else min(own, check.timeout)
        return f"timed out after {allowed:g} s while connecting"
    if check.tls and not target.tls:
        return "the TLS handshake failed: wrong version number (no TLS there?)"
    if check.kind is CheckKind.TCP:
        return ""
    if target.tls and not check.tls:
        return "closed the connection without an answer"
    return "" if target.statuses else f"timed out after {check.timeout:g} s without an answer"


def _answered(status: int, body: str, check: HealthCheck) -> tuple[Outcome, int | None, str, str]:
    if not check.accepts(status):
        return Outcome.FAIL, status, body, ""
    if check.body is not None and check.body not in body:
        came = repr(body[:60]) if body else "an empty body"
        error = f"status {status}, but {check.body!r} is not in the answer: {came}"
        return Outcome.FAIL, status, body, error
    return Outcome.PASS, status, body, ""


def _url(host: str, port: int, check: HealthCheck) -> str:
    if check.kind is CheckKind.EXEC:
        return f"exec {shlex.join(check.command)}"
    if check.kind is CheckKind.HTTP:
        return f"{'https' if check.tls else 'http'}://{host}:{port}{check.path}"
    return f"{'tls' if check.tls else 'tcp'}://{host}:{port}"


_: type[Prober] = FakeProber
