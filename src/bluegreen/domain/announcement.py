"""What a registry holds: announced instances, and documents that are changed by compare-and-set.

The words of :mod:`bluegreen.ports.registry`. An :class:`Announcement` says where an instance is found; a
:class:`Listing` is everything a registry said of one stack at one moment. It is what was *said*: whether to
believe it is decided in :mod:`bluegreen.domain.last_good`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.check import TCP_CHECK, HealthCheck
from bluegreen.domain.naming import Color


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One instance as others find it. ``instance`` is its name, unique in its stack; ``host`` an address.

    ``weight`` is its share within its pool (0 to 256). ``draining``: no new requests, it is about to leave.
    ``forced_up``: a person keeps it in rotation whatever its check says. ``check`` is what a registry that
    checks by itself asks it.
    """

    instance: str
    stack: str
    service: str
    color: Color
    host: str
    port: int
    release: int = 0
    weight: int = 100
    draining: bool = False
    forced_up: bool = False
    check: HealthCheck = TCP_CHECK


@dataclass(frozen=True, slots=True)
class Document:
    """A text in a registry. ``version`` grows with every change; only equal or not equal means anything."""

    text: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a registry says of one stack. Keys: instance name, document key.

    ``unwell`` names the announced instances that fail the registry's own check. ``malformed`` tells, in
    words, of each entry that was skipped because it could not be read.
    """

    stack: str
    announcements: Mapping[str, Announcement] = field(default_factory=dict)
    unwell: frozenset[str] = frozenset()
    documents: Mapping[str, Document] = field(default_factory=dict)
    malformed: tuple[str, ...] = ()
