"""A small HTTP/1.1 server with versions, slow answers, a graceful end, and faults on demand.

It is what the demo, the examples and the tests release: on loopback or in a container of theirs, nowhere
else, since whoever reaches it may break it. Every option is also read from the environment
(``--fail-ping`` is ``FAIL_PING``), see :mod:`bluegreen.sample.options`.

    GET /ping   /version   /slow?seconds=1.5   /say?text=hello   /crash   /      POST /echo
    GET /events?every=1     an event stream: one numbered line after each pause, at once the first
    GET /socket             Upgrade: websocket (RFC 6455) echoes frames; any other upgrade echoes bytes

``POST /control?do=…`` makes this one instance, while it runs:

    hang        answer nothing but /control       hang-ping   the same of /ping only
    fail        5xx to all but /ping, /control    fail-ping   5xx to /ping (``&code=503``; default 500)
    exit        end at once (``&code=3``; default 1), whatever is in flight
    freeze      answer nothing at all, not even SIGTERM: only a kill ends it
    heal        well again, also of what the options asked for; what was hanging is answered now

It must run on Debian's ``python3-minimal`` (which has no ``json``, ``http``, ``asyncio``,
``dataclasses``), so nothing may be imported that is missing there, and from a folder that holds these
files alone: ``PYTHONPATH=/srv python3 -m bluegreen.sample.app`` with them in ``/srv/bluegreen/sample``.
"""

from __future__ import annotations

import signal
import sys
import time

from bluegreen.sample.options import parse
from bluegreen.sample.server import Server


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    server = Server(options)
    # PID 1 has no default action for signals: without handlers a container would ignore both.
    signal.signal(signal.SIGINT, server.stop)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if options.ignore_term else server.stop)
    if options.exit_at_start is not None:
        print(f"ends at start with {options.exit_at_start}", flush=True)
        return int(options.exit_at_start)
    ballast = b"\1" * (options.allocate << 20)
    if options.start_delay:
        server.run(until=time.monotonic() + options.start_delay)
    if server.stop_at is None and not options.never_listen:
        server.listen()
    ends_at = None if options.exit_after is None else time.monotonic() + options.exit_after
    server.run(until=ends_at)
    del ballast
    return 0 if server.stop_at is not None else options.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
