"""What a piece of text means: sizes, durations, CPUs, booleans, commands.

Pure functions from text to value, used by the field types of :mod:`fields` and by the translation
of the old balancer's settings. Each raises :class:`Invalid` with the forms it would have accepted.
"""

from __future__ import annotations

import math
import re
import shlex

from bluegreen.stack.problems import Invalid

_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})
_INT = re.compile(r"[+-]?[0-9]{1,18}")
_FLOAT = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})")
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([kmgtp]?)(i?b)?", re.IGNORECASE)
_DURATION_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(us|µs|ms|s|m|h|d)")
_HAPROXY_TIME = re.compile(r"([0-9]{1,12})(us|ms|s|m|h|d)?")
_CPUSET = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")
_SIZE_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MICROSECONDS = {
    "us": 1,
    "µs": 1,
    "ms": 1000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}


def parse_bool(text: str) -> bool:
    """``true``/``yes``/``on`` and their opposites, in any case."""
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Invalid(f"{text!r} is neither true nor false", "write true or false")


def parse_int(text: str) -> int:
    """A decimal number; leading zeros mean nothing (YAML 1.2)."""
    if _INT.fullmatch(text.strip()) is None:
        raise Invalid(f"{text!r} is not a whole number")
    return int(text)


def parse_count_or_off(text: str) -> int:
    """A number; 0 stands for ``off``."""
    if text.strip().lower() in _FALSE:
        return 0
    if _INT.fullmatch(text.strip()) is None or int(text) < 0:
        raise Invalid(f"{text!r} is neither a number nor off", "write for example 10, or off")
    return int(text)


def parse_mode(text: str) -> int:
    """File permissions: octal, with or without ``0o``."""
    digits = text.removeprefix("0o")
    if re.fullmatch(r"[0-7]{1,5}", digits) is None:
        raise Invalid(f"{text!r} is not an octal file mode", "write for example 0444")
    return int(digits, 8)


def parse_float(text: str) -> float:
    if _FLOAT.fullmatch(text.strip()) is None:
        raise Invalid(f"{text!r} is not a number")
    return float(text)


def parse_size(text: str) -> int:
    """Bytes: ``1048576``, ``512m``, ``512MB``, ``1.5g``; units are powers of 1024, as in Docker."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"{text!r} is not a size", "write a number of bytes or for example 512m, 1g")
    number, unit = match[1], match[2].lower()
    return int(float(number) * 1024 ** _SIZE_POWERS[unit]) if "." in number else _whole(number, unit)


def _whole(number: str, unit: str) -> int:
    return int(number) * int(1024 ** _SIZE_POWERS[unit])


def parse_memswap(text: str) -> int:
    """Like :func:`parse_size`; ``-1`` is unlimited swap."""
    return -1 if text.strip() == "-1" else parse_size(text)


def format_size(size: int) -> str:
    """Return the shortest text that :func:`parse_size` reads back as ``size``."""
    for unit in ("t", "g", "m", "k"):
        step = 1024 ** _SIZE_POWERS[unit]
        if size and size % step == 0:
            return f"{size // step}{unit}"
    return str(size)


def parse_duration(text: str) -> float:
    """Seconds: ``30``, ``1.5``, ``30s``, ``500ms``, ``1h30m``."""
    text = text.strip()
    if _FLOAT.fullmatch(text) and not text.startswith("-"):
        return float(text)
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Invalid(f"{text!r} is not a duration", "write seconds, or for example 500ms, 30s, 5m, 1h30m")
    return math.fsum(float(number) * _MICROSECONDS[unit] for number, unit in parts) / 1e6


def format_duration(seconds: float) -> str:
    """Return a duration as people write it (``1h30m``); parses back to the same milliseconds."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_haproxy_time(text: str) -> float:
    """Seconds from HAProxy's own notation, in which a bare number counts milliseconds."""
    match = _HAPROXY_TIME.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"{text!r} is not an HAProxy time", "write milliseconds, or for example 500ms, 2s, 1m")
    return int(match[1]) * _MICROSECONDS[match[2] or "ms"] / 1e6


def parse_cpuset(text: str) -> str:
    """A list of CPUs such as ``0,1`` or ``0-2``."""
    compact = text.replace(" ", "")
    if _CPUSET.fullmatch(compact) is None:
        raise Invalid(f"{text!r} is not a list of CPUs", "write for example 0,1 or 0-3")
    for part in compact.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            raise Invalid(f"the range {part} of CPUs runs backwards", f"write {last}-{first}")
    return compact


def parse_words(text: str) -> tuple[str, ...]:
    """A command line, split as a shell would split it."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        hint = "close the quote, or write the command as a list"
        raise Invalid(f"the command cannot be split into words: {error}", hint) from None


def split_list(text: str) -> tuple[str, ...]:
    r"""A comma separated list; ``\,`` is a comma within an item. Empty items are left out."""
    items = re.split(r"(?<!\\),", text)
    return tuple(item.replace(r"\,", ",").strip() for item in items if item.strip())


def parse_port_number(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,5}", text) is None or not 0 < int(text) < 65536:
        raise Invalid(f"{text!r} is not a port", "ports are numbers from 1 to 65535")
    return int(text)
