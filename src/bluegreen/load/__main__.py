"""``python -m bluegreen.load``: run load from a shell, or under control of another process.

From a shell it prints a report (or, with ``--json``, one JSON document) and exits 0 when no request
failed, 1 when any did, 2 for a wrong call. With ``--control`` it is the child of
:class:`~bluegreen.load.remote.LoadProcess`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

from bluegreen.load.plan import LoadError, Plan
from bluegreen.load.report import render, style_for
from bluegreen.load.result import Edge, Result
from bluegreen.load.session import LoadSession


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bluegreen.load",
        description="Mixed HTTP/1.1 load on a loopback or private address; tells every failure apart.",
    )
    parser.add_argument("--control", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    for setting in fields(Plan):
        default = "" if setting.default is MISSING else setting.default
        kind = type(default)
        note = f"default: {default}" if default != "" else ""
        flag = f"--{setting.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=default, metavar=kind.__name__.upper(), help=note)
    return parser.parse_args(argv)


async def _run(plan: Plan) -> Result:
    session = LoadSession(plan)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, session.finish)
    await session.start()
    return await session.wait()


async def _obey() -> None:
    """Serve one controlled run: the plan, then commands, until stop, wait, or the end of stdin."""
    loop = asyncio.get_running_loop()
    # Ctrl-C goes to the whole terminal group; the parent decides when the load ends.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    session: LoadSession | None = None
    try:
        while line := await reader.readline():
            command = json.loads(line)
            try:
                session = session or await _begin(command)
                answer = await _command(session, command)
            except LoadError as error:
                _say({"id": command["id"], "error": str(error)})
                return
            _say({"id": command["id"], "answer": answer})
    finally:
        if session is not None:
            await session.abort()
        transport.close()


async def _begin(command: Mapping[str, Any]) -> LoadSession:
    session = LoadSession(Plan(**command["plan"]))
    await session.start()
    return session


async def _command(session: LoadSession, command: Mapping[str, Any]) -> dict[str, Any]:
    if "mark" in command:
        session.mark(command["mark"], Edge(command["edge"]), command["at"])
        return {}
    if "stop" in command:
        return (await session.stop()).to_dict()
    if "wait" in command:
        return (await session.wait()).to_dict()
    return asdict(session.progress())


def _say(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    # A collection over many samples would show up as latency that the server never had.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    settings = vars(_arguments(sys.argv[1:] if argv is None else argv))
    control, as_json = settings.pop("control"), settings.pop("json")
    if control:
        asyncio.run(_obey())
        return 0
    try:
        result = asyncio.run(_run(Plan(**settings)))
    except LoadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report = json.dumps(result.to_dict()) + "\n" if as_json else render(result, style=style_for(sys.stdout))
    sys.stdout.write(report)
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
