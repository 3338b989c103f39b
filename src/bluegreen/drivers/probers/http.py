"""Our own health probe: one connection, one question, one verdict, nothing shared with the last one.

Called by the engine, every 50 ms while a release is being proved and once more right before a
switch, so it costs no more than the connection: no session, no pool, no redirects, no proxies, no
cookies.

Rule: a failure says something of the target. Whatever went wrong on our side is ``UNKNOWN``.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shlex
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Outcome, ProbeResult
from bluegreen.drivers.probers.connection import BrokenError, LateError, connect, late, tls_fault
from bluegreen.drivers.probers.exchange import Exchange
from bluegreen.ports.prober import Prober

_OUR_FAULT = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EADDRNOTAVAIL,  # no free port for our end
        errno.EPERM,  # a firewall of this machine
        errno.EACCES,
        errno.EAFNOSUPPORT,
    }
)

_STALL = 0.25
"""Seconds by which a timeout may fire late before it says more of us than of the target."""


@dataclass(frozen=True, slots=True)
class _Finding:
    outcome: Outcome
    status: int | None = None
    body: str = ""
    error: str = ""


class HttpProber:
    """See :class:`bluegreen.ports.prober.Prober`. ``now`` gives UNIX seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    async def probe(self, host: str, port: int, check: HealthCheck) -> ProbeResult:
        at, begun = self._now(), time.perf_counter()
        port = check.port or port
        finding = await _look(host, port, check)
        return ProbeResult(
            outcome=finding.outcome,
            url=_url(host, port, check),
            at=at,
            elapsed=time.perf_counter() - begun,
            status=finding.status,
            body=finding.body,
            error=finding.error,
        )


async def _look(host: str, port: int, check: HealthCheck) -> _Finding:
    if check.kind is CheckKind.NONE:
        return _Finding(Outcome.PASS)
    if check.kind is CheckKind.EXEC:
        return _Finding(Outcome.UNKNOWN, error="a command inside the instance cannot be asked from outside")
    loop = asyncio.get_running_loop()
    try:
        return await _ask(host, port, check, loop.time())
    except BrokenError as error:
        return _Finding(Outcome.FAIL, error=str(error))
    except LateError as error:
        return _timed_out(error, loop.time() - error.deadline)
    except ssl.SSLError as error:  # before OSError, which it is: its number is none of the system's
        return _Finding(Outcome.FAIL, error=f"TLS failed: {tls_fault(error)}")
    except OSError as error:
        return _refused(error)
    except Exception as error:  # "never raises": a probe that cannot be made says nothing of the target
        return _Finding(Outcome.UNKNOWN, error=f"the probe itself failed: {type(error).__name__}: {error}")


async def _ask(host: str, port: int, check: HealthCheck, begun: float) -> _Finding:
    deadline = begun + check.timeout
    reader, writer = await connect(host, port, check, begun)
    try:
        if check.kind is CheckKind.TCP:
            return _Finding(Outcome.PASS)
        exchange = Exchange(reader, writer)
        try:
            answer = await exchange.ask(check, _authority(host, port), deadline)
        except TimeoutError as error:
            raise late(error, check.timeout, deadline, exchange.progress) from error
    finally:
        # Nothing of ours is worth waiting for: no lingering, and no close that can hang.
        writer.transport.abort()
    well = check.accepts(answer.status) and not answer.missing
    outcome = Outcome.PASS if well else Outcome.FAIL
    return _Finding(outcome, status=answer.status, body=answer.body, error=answer.missing)


def _timed_out(error: LateError, late_by: float) -> _Finding:
    if late_by > _STALL:
        # Suspended, stopped, or blocked: the answer may have been waiting for us all the while.
        return _Finding(
            Outcome.UNKNOWN, error=f"the probe itself was held up and looked {late_by:.1f} s too late"
        )
    return _Finding(Outcome.FAIL, error=f"timed out after {error.allowed:g} s {error.progress}")


def _refused(error: OSError) -> _Finding:
    if isinstance(error, socket.gaierror):
        return _Finding(Outcome.UNKNOWN, error=f"the name was not found: {error.strerror or error}")
    text = os.strerror(error.errno) if error.errno else str(error)
    outcome = Outcome.UNKNOWN if error.errno in _OUR_FAULT else Outcome.FAIL
    return _Finding(outcome, error=text[:1].lower() + text[1:])


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _url(host: str, port: int, check: HealthCheck) -> str:
    place, secure = _authority(host, port), check.tls
    if check.kind is CheckKind.EXEC:
        return f"exec {shlex.join(check.command)}"
    if check.kind is CheckKind.HTTP:
        return f"{'https' if secure else 'http'}://{place}{check.path}"
    return f"{'tls' if secure else 'tcp'}://{place}"


_: type[Prober] = HttpProber
