"""What befalls the instances, and in which order: pure, and the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

REPLICAS = 3
CALM = (0.5, 2.0)
"""Bounds of the seconds between the end of one fault and the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One way in which things go wrong.

    ``what`` is done, in words. ``out``: the instance must leave the rotation. ``lasts`` is after how many
    seconds the injector itself takes the fault back, because bluegreen must not (``None``: bluegreen has
    to heal it). ``all``: it befalls every instance at once. ``cost`` says why a request may be lost; without
    one none may, and with one only POSTs may, unless it is ``dear``.
    """

    name: str
    what: str
    out: bool = True
    lasts: float | None = None
    all: bool = False
    cost: str = ""
    dear: bool = False


_CUT = "POSTs in flight on the instance are cut, and nobody may send them twice; GETs are sent elsewhere"
_STUCK = "what is in flight waits until the instance is killed; then it is as with `kill`"

KINDS = (
    FaultKind(name="kill", what="SIGKILL of the main process", cost=_CUT),
    FaultKind(name="exit", what="the application ends at once, whatever is in flight", cost=_CUT),
    FaultKind(
        name="stop",
        what="a person stops it (`docker stop`; SIGTERM to the process)",
        cost="a process tells nobody that it was asked to end: a POST may be sent on a kept connection in "
        "the moment in which the application closes it, and nobody may send it again",
    ),
    FaultKind(name="freeze", what="SIGSTOP of the main process, nobody continues it", cost=_STUCK),
    FaultKind(name="hang", what="the application answers nothing any more", cost=_STUCK),
    FaultKind(name="hang-ping", what="the application does not answer `/ping`, everything else it does"),
    FaultKind(name="pause", what="a person's `docker pause`, continued after 4 s", lasts=4.0),
    FaultKind(name="fail-ping", what="`/ping` answers 500 for 4 s, everything else is well", lasts=4.0),
    FaultKind(
        name="fail",
        what="everything answers 500 for 4 s, only `/ping` is well",
        lasts=4.0,
        cost="a 500 is an answer, and nobody else is asked: 10 in a row (`passive_errors`) take it out, its "
        "check, which is well, brings it back a second later, and so on until it is mended",
        dear=True,
    ),
    FaultKind(name="deploy", what="another version is deployed", out=False),
    FaultKind(name="controller", what="SIGKILL of the controller, started again at once", out=False),
    FaultKind(
        name="orphan",
        what="SIGKILL of the controller and of an instance; 3 s later the controller is started again",
        cost=_CUT,
    ),
    FaultKind(
        name="all-hang-ping",
        what="no instance answers `/ping` for 5 s: a shared cause",
        out=False,
        lasts=5.0,
        all=True,
    ),
    FaultKind(
        name="all-killed",
        what="SIGKILL of all instances at once",
        all=True,
        cost="nobody is left to answer until the first one is back",
        dear=True,
    ),
)

ONLY_ON = {"pause": "docker"}
"""Kinds that one runtime alone knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: after ``calm`` seconds in which all was well, ``kind`` befalls instance ``victim``."""

    kind: FaultKind
    victim: int
    calm: float


def kinds(runtime: str, only: frozenset[str] = frozenset()) -> tuple[FaultKind, ...]:
    """Return the kinds that a runtime knows, or those of them in ``only``."""
    return tuple(k for k in KINDS if ONLY_ON.get(k.name, runtime) == runtime and (not only or k.name in only))


def schedule(seed: int, runtime: str, only: frozenset[str] = frozenset()) -> Iterator[Fault]:
    """Yield faults without end: every kind once in a random order, then every kind once more …"""
    dice = random.Random(f"{seed} {runtime}")
    known = kinds(runtime, only)
    while True:
        for kind in dice.sample(known, len(known)):
            yield Fault(kind=kind, victim=dice.randrange(REPLICAS), calm=round(dice.uniform(*CALM), 2))
