"""What is wrong with a stack file, said so that it can be mended: where, what, and what instead.

Every step of :mod:`bluegreen.stack` reports here and goes on, so that one run shows all problems.
The rule: a step that cannot use a value reports it and leaves it out; nothing raises.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bluegreen.domain.errors import UserError

if TYPE_CHECKING:
    from bluegreen.domain.stack import StackSpec


class Severity(StrEnum):
    """``error``: the stack cannot be used; ``warning``: something is not done; ``info``: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``line`` and ``column`` count from 1; 0 means the file as a whole.

    ``path`` names the key (``lbx.environment.TIMEOUT``), ``code`` is stable and machine readable.
    """

    severity: Severity
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    code: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file or "stack"

    def __str__(self) -> str:
        text = f"{self.place}: {self.severity}: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class Loaded:
    """What :func:`bluegreen.stack.load` returns. ``spec`` is ``None`` when there is an error."""

    spec: StackSpec | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)


def refused(loaded: Loaded) -> UserError:
    """Return the error (``bad_stack``) for a stack that cannot be used, with every problem as evidence."""
    count = len(loaded.errors)
    shown = [p for p in loaded.problems if p.severity is not Severity.INFO]
    return UserError(
        f"the stack file cannot be used: {count} error{'s' if count != 1 else ''}",
        code="bad_stack",
        evidence=tuple((f"{p.place}: {p.severity}", f"{p.message}\n{p.hint}".rstrip()) for p in shown),
        hint="Mend them all, then look again: `bluegreen check`.",
    )


class Invalid(ValueError):
    """A value that means nothing where it stands: a message, and a hint with what is allowed."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def suggest(word: str, known: Iterable[str], *, listed: int = 12) -> str:
    """Return a hint for an unknown ``word``: the nearest known one, else the known ones if few."""
    choices = list(dict.fromkeys(known))
    folded = {choice.lower(): choice for choice in reversed(choices)}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    said = f"did you mean {folded[near[0]]!r}? " if near else ""
    if 0 < len(choices) <= listed:
        said += "Allowed: " + ", ".join(choices)
    return said.strip()


def sort_key(problem: Problem) -> tuple[str, int, int, str]:
    return (problem.file, problem.line, problem.column, problem.message)
