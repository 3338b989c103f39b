"""One line for each request, kept in HAProxy's memory for whoever reads it: how it is written, and read.

A *ring* of fixed size holds the newest lines; writing one is a copy in memory, whoever reads or does not
(docs/adr/0019). Ours goes into the structured data of RFC 5424, which no other log has: so a
user's own log keeps its own format. Words: HAProxy 2.6 configuration manual, sections 3.9 and 8.2.4. Pure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Listener, Mode
from bluegreen.ports.requests import Batch, Seen

RING = "requests"
QUESTION = f"show events {RING} -w -n"
"""Asks for each line from now on."""

NO_RING = b"No such event sink"
"""The answer of a HAProxy that was configured before there was one, or without."""

_LONGEST = 400
"""Bytes of a line. What comes after our part, a user's own format, may be cut."""

_SIZE = 2 * 1024 * 1024
"""Bytes of the ring: a second and a half at 10,000 requests per second."""
_OWN_FORMAT = ("log-format ", "option httplog", "option httpslog", "option tcplog")

# The first bracket of a line is ours; all that a user can have written comes after it.
_LINE = re.compile(
    rb'^<[^\[\n]*\[m@0 b="([^"\n]+)" s="(-?\d+)" t="(-?\d+)/(-?\d+)/(-?\d+)/(-?\d+)"\]',
    re.MULTILINE,
)
_LOST = re.compile(rb"^<[^\[\n]*- (\d{1,9}) events? dropped", re.MULTILINE)


def ring() -> str:
    """Return the section of the ring."""
    return f"ring {RING}\n  format rfc5424\n  maxlen {_LONGEST}\n  size {_SIZE}\n"


def log_lines(listener: Listener, *, others_log: bool) -> Iterator[str]:
    """Yield the lines by which a frontend logs its users' requests into the ring.

    Nothing where requests have no answers (TCP), or where a user has asked for errors alone to be logged:
    a part is not to be taken for the whole. ``others_log``: a user has a log, which is to be of use.
    """
    if listener.mode is not Mode.HTTP or "dontlog-normal" in (o.strip() for o in listener.options):
        return
    written = [*(f"option {option}" for option in listener.options), *listener.extra]
    if not any(line.strip().startswith(_OWN_FORMAT) for line in written):
        # Without a format HAProxy logs connections instead of requests.
        yield "option httplog" if others_log else 'log-format "-"'
    yield f"log ring@{RING} len {_LONGEST} format rfc5424 local0 info"
    yield 'log-format-sd "[m@0 b=\\"%b\\" s=\\"%ST\\" t=\\"%Tw/%Tc/%Tr/%Ta\\"]"'


def read(lines: bytes) -> Batch:
    """Return what whole lines say, in a few microseconds for each."""
    counts: dict[tuple[bytes, bytes, int], int] = defaultdict(int)
    found = _LINE.findall(lines)
    for backend, status, queued, connecting, answering, active in found:
        # A part is -1 where it did not come to an end: then all of the time was waited.
        ended = b"-1" not in (queued, connecting, answering)
        waited = int(queued) + int(connecting) + int(answering) if ended else max(0, int(active))
        counts[backend, status, waited] += 1
    told = [int(number) for number in _LOST.findall(lines)] if b" dropped" in lines else []
    whole = lines.count(b"\n") + (lines[-1:] not in (b"", b"\n"))
    return Batch(seen=_colors(counts), lost=sum(told), strange=max(0, whole - len(found) - len(told)))


def _colors(counts: Mapping[tuple[bytes, bytes, int], int]) -> dict[Seen, int]:
    """Return what was for a color: no bad request, none of a route that leads nowhere."""
    return {
        Seen(PoolId(backend.decode("ascii", "replace")), int(status), waited): count
        for (backend, status, waited), count in counts.items()
        if b":" not in backend
    }
