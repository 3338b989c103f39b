"""Renders a monit configuration from the checks of what runs. Pure; called by ``export monit``.

monit finds out, bluegreen heals: on failure monit runs ``bluegreen restart``, the safe sequence, and not its
own ``restart``. Syntax: monit 5.33's manual; quoting was tried against it, for the manual does not say.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bluegreen.domain.errors import UserError

MOST_CYCLES = 64
"""monit takes no larger number of cycles for a failure to last."""

_SETTLING = 10.0
"""Seconds beyond what a restart should take until monit may ask for another one."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]+")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")

Check = Mapping[str, Any]
"""One check as ``GET /v1/checks`` lists it."""

_HEAD = """\
# Written by `bluegreen export monit`: write it anew rather than edit it.
#
# monit asks; what fails is restarted by bluegreen, which first takes it out of rotation and drains it, and
# refuses to restart the last instance that serves. monit's own `restart` would do none of that.
#
# Times are counted in monit's cycles of {cycle:g} s (`set daemon {cycle:g}` in your monitrc, --cycle here).
# monit does not begin to count anew after a restart, so that with its own `restart` one failure of a slow
# start would bring the next: here a restart is asked for once, and again only after the cycles of `repeat`.
# When the whole box starts, `set daemon {cycle:g} with start delay SECONDS` gives everything time to come up.
"""


def render(checks: Iterable[Check], program: Sequence[str], cycle: float) -> str:
    """Return the configuration. ``program`` is the argv that runs bluegreen, ``cycle`` monit's, in seconds.

    Raises ``UserError`` (``monit_unquotable``) for a program that monit cannot run.
    """
    parts = [_HEAD.format(cycle=cycle)]
    parts += ["\n".join(_service(check, program, cycle)) + "\n" for check in checks]
    return "\n".join(parts)


def command(words: Iterable[str]) -> str:
    """Return an argv as monit reads it: in double quotes, words within in single ones, no escapes."""
    first, *rest = words
    if not _PLAIN.fullmatch(first) or any(_unquotable(word) for word in rest):
        raise UserError(
            f"monit cannot run {' '.join((first, *rest))!r}: it knows no way to write such a command",
            code="monit_unquotable",
            hint="Use a path of the program and a state folder without quotes and odd characters.",
        )
    return '"' + " ".join([first, *(word if _PLAIN.fullmatch(word) else f"'{word}'" for word in rest)]) + '"'


def _unquotable(word: str) -> bool:
    return not word or any(character in "'\"\\" or ord(character) < 32 for character in word)


def _service(check: Check, program: Sequence[str], cycle: float) -> Iterator[str]:
    instance, asked = str(check["instance"]), check["agent"]["check"] or check["check"]
    kind, port = asked["kind"], asked["port"] or check["port"]
    reason = _not_watched(check, asked, port)
    if reason:
        yield f"# {_name(instance)}: {reason}"
        return
    fall = max(asked["fall"], _cycles(asked["fall"] * asked["interval"], cycle))
    patience = f"with timeout {max(1, math.ceil(asked['timeout']))} seconds"
    cycles = f"for {min(fall, MOST_CYCLES)} cycles"
    if kind == "exec":
        line = command([*program, "exec", instance, "--", *asked["command"]])
        yield f'check program "{_name(instance)}" with path {line} {patience}'
        yield f"    if status != 0 {cycles}"
    else:
        notes, words = _question(asked)
        yield from (f"# {_name(instance)}: {note}" for note in notes)
        yield f'check host "{_name(instance)}" with address "{check["host"]}"'
        yield f"    if failed port {port} {words}"
        yield f"        {patience} {cycles}"
    yield f"    then exec {command([*program, 'restart', instance, '--why', 'monit'])}"
    yield f"        repeat every {_cycles(_restart_time(check, asked), cycle)} cycles"


def _not_watched(check: Check, asked: Check, port: int) -> str:
    kind = asked["kind"]
    if any(_unquotable(word) for word in (check["instance"], *asked["command"])):
        return "monit knows no way to write its name or the command of its check"
    if check["proving"]:
        return "its release has yet to prove itself; its rollout looks after that"
    if kind == "none":
        return "its service has no check"
    if kind != "exec" and not (check["host"] and port):
        return "it has no address now"
    return ""


def _question(asked: Check) -> tuple[list[str], str]:
    """Return what monit cannot ask as it should, and the words of the question."""
    if asked["kind"] == "tcp":
        return [], "type tcpssl" if asked["tls"] else "type tcp"
    notes: list[str] = []
    words = [f"protocol {'https' if asked['tls'] else 'http'}", f'request "{_url(asked["path"])}"']
    words += [f"method {_method(asked, notes)}", _status(asked, notes)]
    words += _headers(asked, notes)
    if asked["body"]:
        words.append(f'content = "{_pattern(asked["body"])}"')
    if asked["tls"]:
        words.append("with ssl options {verify: disable}")
    return notes, " ".join(words)


def _method(asked: Check, notes: list[str]) -> str:
    if asked["method"] == "HEAD" and not asked["body"]:
        return "HEAD"
    if asked["method"] not in {"GET", "HEAD"}:
        notes.append(f"its check asks by {asked['method']}, monit by GET")
    return "GET"


def _status(asked: Check, notes: list[str]) -> str:
    ranges = [tuple(pair) for pair in asked["expect"]]
    lowest, highest = min(low for low, _ in ranges), max(high for _, high in ranges)
    if lowest == highest:
        return f"status = {lowest}"
    if len(ranges) > 1 or lowest > 200:
        told = ", ".join(f"{low}-{high}" for low, high in ranges)
        notes.append(f"its check expects {told}, monit takes any status up to {highest}")
    return f"status < {highest + 1}"


def _headers(asked: Check, notes: list[str]) -> Iterator[str]:
    wanted = [("Host", asked["host"])] if asked["host"] else []
    wanted += [(key, value) for key, value in asked["headers"]]
    said = [(key, value) for key, value in wanted if _NOT_IN_NAMES.sub("", key) == key and not _odd(value)]
    notes += [
        f"monit cannot send the header {_name(key)}" for key, value in wanted if (key, value) not in said
    ]
    if said:
        pairs = (f'{key}: "{value}"' for key, value in said)
        yield f"http headers [{', '.join(pairs)}]"


def _odd(value: str) -> bool:
    return any(character in '"\\' or ord(character) < 32 for character in value)


def _url(path: str) -> str:
    return quote(path, safe="%/?&=:@!$'()*+,;~")


def _pattern(text: str) -> str:
    """Return a regular expression for ``text`` without escapes: what would need one is any character."""
    return "".join(
        character if character.isascii() and (character.isalnum() or character == " ") else "."
        for character in text
    )


def _name(instance: str) -> str:
    """Return a name that monit takes and that no other instance has."""
    plain = _NOT_IN_NAMES.sub("_", instance)
    return plain if plain == instance else f"{plain}-{hashlib.sha256(instance.encode()).hexdigest()[:6]}"


def _restart_time(check: Check, asked: Check) -> float:
    """Return how many seconds a restart may take until the instance answers again."""
    coming_back = asked["start_period"] + asked["rise"] * asked["interval"]
    return float(check["agent"]["drain"] + check["stop_grace"] + coming_back + _SETTLING)


def _cycles(seconds: float, cycle: float) -> int:
    return max(1, math.ceil(seconds / cycle))
