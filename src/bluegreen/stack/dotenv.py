"""``.env`` and ``env_file`` files, by the rules Compose documents for them.

Called by :mod:`loading` (the ``.env`` beside the first stack file) and :mod:`environment`
(``env_file``). A value may be bare, in single quotes (literal, several lines) or in double quotes
(escapes and ``${VAR}``, several lines); `` #`` begins a comment after a bare value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bluegreen.stack.interpolation import Interpolator
from bluegreen.stack.problems import Invalid, Problem, Severity

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:([=:])[ \t]*)?")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def read_env_file(path: Path, outer: Mapping[str, str], found: list[Problem]) -> dict[str, str]:
    """Return the file's variables; a bare ``NAME`` takes its value from ``outer`` if set there."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        problem = Problem(
            Severity.ERROR, str(path), 0, 0, "", f"cannot read the file: {reason}", "", "file_unreadable"
        )
        found.append(problem)
        return {}
    return parse_env(text, str(path), outer, found)


def parse_env(text: str, name: str, outer: Mapping[str, str], found: list[Problem]) -> dict[str, str]:
    """Like :func:`read_env_file`, for text that is called ``name`` in problems."""
    values: dict[str, str] = {}
    at = 0
    text = text.replace("\r\n", "\n")
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        end = _line_end(text, at)
        if not text[at:end].strip() or text[at:end].lstrip().startswith("#"):
            at = end + 1
            continue
        try:
            at = _assignment(text, at, values, outer)
        except Invalid as invalid:
            found.append(
                Problem(Severity.ERROR, name, line, 1, "", invalid.message, invalid.hint, "bad_env_file")
            )
            at = end + 1
    return values


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _assignment(text: str, at: int, values: dict[str, str], outer: Mapping[str, str]) -> int:
    """Read one ``NAME=value`` into ``values``; return where the next line begins."""
    end = _line_end(text, at)
    match = _LINE.match(text, at, end)
    if match is None:
        raise Invalid("expected NAME=value", "names hold letters, digits and _, and begin with no digit")
    name, start = match[1], match.end()
    if match[2] is None:
        if _COMMENT.sub("", text[start:end]).strip():
            raise Invalid("expected NAME=value", "put = between the name and its value")
        if name in outer:
            values[name] = outer[name]
        return end + 1
    if text[start : start + 1] in ("'", '"'):
        values[name], stop = _quoted(text, start, {**values, **outer})
        return _line_end(text, stop) + 1
    bare = _COMMENT.sub("", text[start:end]).strip()
    values[name] = _expand(bare, {**values, **outer})
    return end + 1


def _quoted(text: str, start: int, known: Mapping[str, str]) -> tuple[str, int]:
    quote, at = text[start], start + 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and quote == '"' else 1
    if at >= len(text):
        raise Invalid(f"the quote {quote} is never closed")
    body = text[start + 1 : at]
    if quote == '"':
        body = _expand(_ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[0]), body), known)
    return body, at + 1


def _expand(text: str, known: Mapping[str, str]) -> str:
    return Interpolator(known, lambda name: None).expand(text)
