"""``$NAME`` and ``${NAME:-default}`` in values, by the rules of the Compose specification.

Called by :mod:`layers` on each file's tree before the files are merged. The rule: a reference that
cannot be read is an error at its value; an unset name without a default is a warning and empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bluegreen.stack.problems import Invalid

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_MAX_DEPTH = 20
_HINT = "write $$ for a dollar sign, ${NAME} or ${NAME:-default} for a variable"


@dataclass(frozen=True, slots=True)
class Interpolator:
    """Replaces references by ``values``; ``unset`` is told each name that had no value."""

    values: Mapping[str, str]
    unset: Callable[[str], None]

    def expand(self, text: str) -> str:
        """Return ``text`` with its references replaced. Raises :class:`Invalid`."""
        return self._expand(text, 0)

    def _expand(self, text: str, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise Invalid("variables are nested too deeply", _HINT)
        parts, at = [], 0
        while (dollar := text.find("$", at)) >= 0:
            parts.append(text[at:dollar])
            value, at = self._reference(text, dollar + 1, depth)
            parts.append(value)
        return "".join(parts) + text[at:]

    def _reference(self, text: str, at: int, depth: int) -> tuple[str, int]:
        if text.startswith("$", at):
            return "$", at + 1
        if text.startswith("{", at):
            end = _closing_brace(text, at)
            return self._braced(text[at + 1 : end], depth), end + 1
        match = _NAME.match(text, at)
        if match is None:
            raise Invalid(f"`{text[at - 1 : at + 8]}` is not a variable", _HINT)
        return self._value(match[0]), match.end()

    def _braced(self, body: str, depth: int) -> str:
        match = _NAME.match(body)
        if match is None:
            raise Invalid(f"`${{{body[:20]}}}` is not a variable", _HINT)
        name, rest = match[0], body[match.end() :]
        if not rest:
            return self._value(name)
        operator = next((op for op in _OPERATORS if rest.startswith(op)), None)
        if operator is None:
            raise Invalid(f"`${{{body[:20]}}}` is not a variable", _HINT)
        return self._operate(name, operator, rest[len(operator) :], depth)

    def _operate(self, name: str, operator: str, word: str, depth: int) -> str:
        value = self.values.get(name)
        present = value is not None and (value != "" or ":" not in operator)
        if operator.endswith("+"):
            return self._expand(word, depth + 1) if present else ""
        if present:
            return str(value)
        if operator.endswith("?"):
            reason = self._expand(word, depth + 1)
            raise Invalid(f"the variable {name} is required{f': {reason}' if reason else ''}", f"set {name}")
        return self._expand(word, depth + 1)

    def _value(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            self.unset(name)
            return ""
        return value


def _closing_brace(text: str, opening: int) -> int:
    """Return the index of the brace that closes the one at ``opening``, nested references skipped."""
    level = 0
    for at in range(opening, len(text)):
        if text[at] == "{" and (at == opening or text[at - 1] == "$"):
            level += 1
        elif text[at] == "}":
            level -= 1
            if level == 0:
                return at
    raise Invalid(f"`${text[opening : opening + 12]}` has no closing brace", _HINT)
