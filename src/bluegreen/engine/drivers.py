"""Everything outside, as the composition root has chosen and opened it."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.engine.announcer import Announcer
from bluegreen.ports.access import AccessStore
from bluegreen.ports.answers import AnswerStore
from bluegreen.ports.balancer import Balancer
from bluegreen.ports.clock import Clock
from bluegreen.ports.hooks import HookStore
from bluegreen.ports.journal import Journal
from bluegreen.ports.prober import Prober
from bluegreen.ports.requests import RequestLog
from bluegreen.ports.runtime import Console, Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    runtime: Runtime
    console: Console
    balancer: Balancer
    journal: Journal
    access: AccessStore
    answers: AnswerStore
    hooks: HookStore
    prober: Prober
    clock: Clock
    announcer: Announcer | None = None
    """Keeps a registry in step, where there is one."""
    requests: RequestLog | None = None
    """Tells of users' requests, where the balancer of this box does."""
