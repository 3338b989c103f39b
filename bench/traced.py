"""``python -m bench.traced serve``: a controller that notes when each call to the outside began and ended.

Started by :mod:`bench.rows.switch` in place of ``python -m bluegreen``, for the breakdown of a switch.
Writes one JSON line (name, begin, end: seconds of the monotonic clock) per call to the file that
``BENCH_TRACE`` names. The wrapped calls are those of the ports, and the API's handling of a request.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bluegreen import server
from bluegreen.api.app import create_app
from bluegreen.cli.main import main
from bluegreen.drivers.balancers.haproxy.driver import HaproxyBalancer
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi
from bluegreen.drivers.journal.sqlite.journal import SqliteJournal
from bluegreen.drivers.probers.http import HttpProber

_TRACED: tuple[tuple[type, str, str], ...] = (
    (SqliteJournal, "record", "journal"),
    (HttpProber, "probe", "probe"),
    (HaproxyBalancer, "observe", "observe"),
    (HaproxyBalancer, "apply", "apply"),
    (RuntimeApi, "command", "set map"),
)

Call = Callable[..., Awaitable[Any]]


def install(path: str) -> None:
    """Wrap the calls; what they do and raise is unchanged."""
    out = open(path, "a", buffering=1)  # noqa: SIM115 - open for as long as the process lives

    def note(name: str, call: Call) -> Call:
        @functools.wraps(call)
        async def noted(*arguments: Any, **named: Any) -> Any:
            begin = time.monotonic()
            try:
                return await call(*arguments, **named)
            finally:
                out.write(json.dumps([name, begin, time.monotonic()]) + "\n")

        return noted

    for owner, method, name in _TRACED:
        setattr(owner, method, note(name, getattr(owner, method)))

    def traced_app(context: Any) -> Any:
        app = create_app(context)

        async def traced(scope: Any, receive: Any, send: Any) -> None:
            await note(f"{scope['method']} {scope['path']}", app)(scope, receive, send)

        return traced

    setattr(server, "create_app", traced_app)  # noqa: B010 - it is no part of the module's interface


if __name__ == "__main__":
    install(os.environ["BENCH_TRACE"])
    sys.exit(main())
