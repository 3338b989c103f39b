"""One line for each request, kept in HAProxy's memory for whoever reads it: how it is written, and read.

A *ring* of fixed size holds the newest lines; writing one is a copy in memory, whoever reads or does not
(docs/adr/0019). Ours goes into the structured data of RFC 5424, which no other log has: so a
user's own log keeps its own format. Words: HAProxy 2.6 configuration manual, sections 3.9 and 8.2.4. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

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

_LINE = re.compile(
    rb'^<\d+>1 \S+ \S+ \S+ \S+ \S+ \[m@0 b="([^"\s]+)" s="(-?\d+)"'
    rb' t="(-?\d+)/(-?\d+)/(-?\d+)/(-?\d+)"\]',
    re.MULTILINE,
)
_LOST = re.compile(rb"(\d{1,9}) events? dropped")


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
    """Return what whole lines say."""
    found = Counter(_LINE.findall(lines))
    seen: Counter[Seen] = Counter()
    for (backend, status, *times), count in found.items():
        pool = backend.decode("ascii", "replace")
        if ":" not in pool:  # else it was for no color: a bad request, a route without one
            seen[Seen(PoolId(pool), int(status), _waited(*times))] += count
    told = [int(number) for number in _LOST.findall(lines)] if b" dropped" in lines else []
    strange = lines.count(b"\n") + (not lines.endswith(b"\n")) - found.total() - len(told)
    return Batch(seen=seen, lost=sum(told), strange=max(0, strange) if lines else 0)


def _waited(queued: bytes, connecting: bytes, answering: bytes, active: bytes) -> int:
    """Return milliseconds. Each part is -1 where it did not come to an end; then all of it was waited."""
    parts = (int(queued), int(connecting), int(answering))
    return max(0, int(active)) if min(parts) < 0 else sum(parts)
