"""Errors, grouped by what the caller should do next.

    BluegreenError
    ├── UserError          exit 2   the request is wrong: fix it and ask again
    ├── Temporary          exit 1   the world is not ready: the same request may work later
    ├── Permanent          exit 1   the world refuses: the same request will fail again
    ├── OutcomeUnknown     exit 1   the call may have happened: observe before anything else
    └── Bug                exit 70  an invariant is broken: traffic is left alone, report it

Every error has a ``code`` (stable, documented in docs/reference/errors.md), a message, the
evidence that was seen, and a hint that says what to do. Drivers translate third-party errors
into these once, at their boundary.
"""

from __future__ import annotations

from typing import ClassVar


class BluegreenError(Exception):
    """Base of every error this program raises on purpose.

    ``code`` is stable and machine readable; ``evidence`` is a tuple of ``(label, text)`` pairs in
    the order a person should read them; ``hint`` is one sentence in the imperative.
    """

    exit_code: ClassVar[int] = 1
    group: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        evidence: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.evidence = evidence


class UserError(BluegreenError):
    """The request cannot be carried out as it was put."""

    exit_code = 2
    group = "user"


class Temporary(BluegreenError):
    """Something needed is not available right now."""

    group = "temporary"


class Permanent(BluegreenError):
    """Something needed is refused and will be refused again."""

    group = "permanent"


class OutcomeUnknown(BluegreenError):
    """A call was sent and its answer was lost: it may or may not have taken effect."""

    group = "unknown"


class Bug(BluegreenError):
    """The program contradicts itself. Nothing is changed; traffic stays as it is."""

    exit_code = 70
    group = "bug"
