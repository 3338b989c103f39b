"""What ZooKeeper and its client complain of, in the words of :mod:`bluegreen.domain.errors`."""

from __future__ import annotations

from kazoo.exceptions import (
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    NotReadOnlyCallError,
    OperationTimeoutError,
    RequestTimeoutError,
    SessionExpiredError,
    SessionMovedError,
    ThrottledOpError,
    ZookeeperError,
)
from kazoo.handlers.threading import KazooTimeoutError

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary

AWAY = (
    ConnectionLoss,
    ConnectionClosedError,
    SessionExpiredError,
    SessionMovedError,
    OperationTimeoutError,
    RequestTimeoutError,
    NotReadOnlyCallError,
    ThrottledOpError,
    KazooTimeoutError,
)
ANSWERS = (NoNodeError, NodeExistsError, BadVersionError, NotEmptyError)
"""Not faults: they say what is there, and whoever asked decides what it means."""


def translated(error: BaseException, address: str, what: str) -> BluegreenError:
    """Return ``error`` of the client library as one of ours. ``what`` was being done."""
    if isinstance(error, AWAY):
        return down(address, what, words(error))
    return refused(what, words(error), address)


def down(address: str, what: str, why: str) -> Temporary:
    return Temporary(
        f"ZooKeeper does not answer: {what}",
        code="registry_down",
        hint="Traffic stays as it is. Look at the ensemble (`bluegreen doctor`) and the network.",
        evidence=(("address", address), ("seen", why)),
    )


def refused(what: str, why: str, address: str = "") -> Permanent:
    return Permanent(
        f"ZooKeeper refuses: {what}",
        code="registry_refused",
        hint="Mend the rights (`token`, the ACL of the node) or the names; `bluegreen doctor` tells more.",
        evidence=(("says", why), *((("address", address),) if address else ())),
    )


def conflict(stack: str, key: str, expected: int | None, found: int) -> Temporary:
    return Temporary(
        f"somebody else changed {key} of {stack}",
        code="conflict",
        hint="Read it again, then decide.",
        evidence=(("expected version", str(expected)), ("found", str(found))),
    )


def words(error: BaseException) -> str:
    """Return what an exception of kazoo means: its texts are often empty, its name says it."""
    name = type(error).__name__.removesuffix("Error")
    return f"{name}: {error}" if str(error) else name


__all__ = ["ANSWERS", "AWAY", "ZookeeperError", "conflict", "down", "refused", "translated", "words"]
