"""Following rollouts until users are served by them, whatever happens to the controller meanwhile.

Used by every verb that begins rollouts. One thread reads the stream of each rollout; the caller's
thread draws. A stream that is cut is taken up again for a few seconds; what was told already is not
told twice.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import click

from bluegreen.cli.output import clock, reason_text
from bluegreen.cli.session import Session
from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.wire.client import Client, path

RECONNECT = 20.0
"""Seconds for which a lost controller is looked for: one that begins anew on a busy box may take ten."""

_TURN = 0.1
_RETRY = 0.2
_WORST_FIRST = (70, 1, 3, 4)

Document = dict[str, Any]
News = tuple[str, str, Any]
"""(rollout, ``progress`` | ``outcome`` | ``lost`` | ``back`` | ``gone`` | ``refused``, its data)."""


class View(Protocol):
    """What draws: called from the thread that follows."""

    def __enter__(self) -> View: ...
    def __exit__(self, *exc: object) -> None: ...
    def progress(self, rollout: Document, event: Document) -> None: ...
    def note(self, message: str) -> None: ...
    def ended(self, rollout: Document) -> None: ...
    def tick(self) -> None: ...


def follow(
    session: Session, begun: Sequence[Document], *, until: str = "settled", abort_on_interrupt: bool = False
) -> tuple[list[Document], int]:
    """Show what happens to the rollouts until each has its outcome.

    Returns their documents, in the order given, and the exit code that says the worst of them.
    Raises ``Temporary`` (``controller_lost``), and ``KeyboardInterrupt`` after saying what goes on.
    """
    rollouts = {r["id"]: r for r in begun}
    ended: dict[str, Document] = {}
    try:
        with view(session, list(rollouts.values())) as drawn:
            for id, kind, data in _news(session.client, list(rollouts), until):
                _show(drawn, rollouts[id] if id else {}, kind, data)
                if kind == "outcome":
                    ended[id] = data
    except KeyboardInterrupt:
        _interrupted(session, [id for id in rollouts if id not in ended], abort_on_interrupt)
        raise
    return [ended[id] for id in rollouts], _exit_code(ended.values())


def explain(session: Session, ended: Sequence[Document]) -> None:
    """Print why rollouts did not end as asked, with the evidence, to stderr."""
    for rollout in ended:
        if rollout["outcome"]["exit_code"] != 0:
            click.echo(reason_text(rollout), err=True)


def view(session: Session, rollouts: Sequence[Document]) -> View:
    """Return the live view on a terminal, else plain lines."""
    if sys.stderr.isatty() and not session.quiet and not session.json:
        from bluegreen.cli.live import LiveView

        return LiveView(session.client, rollouts)
    return PlainView(session)


class PlainView:
    """One line with its time for each thing that happens."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def progress(self, rollout: Document, event: Document) -> None:
        self._session.say(progress_line(event))

    def note(self, message: str) -> None:
        self._session.say(message)

    def ended(self, rollout: Document) -> None:
        return None

    def tick(self) -> None:
        return None


def progress_line(event: Mapping[str, Any]) -> str:
    color = {"error": "red", "warning": "yellow"}.get(event["level"])
    return f"{clock(event['at'])}  {click.style(event['message'], fg=color) if color else event['message']}"


def _show(drawn: View, rollout: Document, kind: str, data: Any) -> None:
    if kind == "progress" and data["at"] >= rollout.get("since", 0.0) - 0.005:
        if data["level"] != "debug":
            drawn.progress(rollout, data)
    elif kind == "outcome":
        drawn.ended(data)
    elif kind == "lost":
        drawn.note("the controller does not answer; traffic is not affected. Trying to reach it again …")
    elif kind == "back":
        drawn.note("the controller is back")
    elif kind == "gone":
        raise _controller_lost(data)
    elif kind == "refused":
        raise data
    drawn.tick()


def _news(client: Client, ids: Sequence[str], until: str) -> Iterator[News]:
    """Yield what happens, and ``("", "tick", None)`` while nothing does."""
    queue: SimpleQueue[News] = SimpleQueue()
    for id in ids:
        threading.Thread(target=_Reader(client, id, until, queue).run, daemon=True).start()
    open_ids = set(ids)
    while open_ids:
        try:
            news = queue.get(timeout=_TURN)
        except Empty:
            yield "", "tick", None
            continue
        yield news
        if news[1] == "outcome":
            open_ids.discard(news[0])


class _Reader:
    """Reads one rollout's stream to its outcome, over as many connections as it takes."""

    def __init__(self, client: Client, id: str, until: str, queue: SimpleQueue[News]) -> None:
        self._client, self._id, self._until, self._queue = client, id, until, queue
        self._seen = 0
        self._lost_at: float | None = None

    def run(self) -> None:
        while not self._connection():
            now = time.monotonic()
            if self._lost_at is None:
                self._lost_at = now
                self._tell("lost")
            if now - self._lost_at > RECONNECT:
                self._tell("gone", self._id)
                return
            time.sleep(_RETRY)

    def _connection(self) -> bool:
        """Read one connection to its end; return whether there is nothing more to read."""
        try:
            for message in self._client.stream(path("rollouts", self._id, "stream"), {"until": self._until}):
                if self._lost_at is not None:
                    self._lost_at = None
                    self._tell("back")
                if message.event == "outcome":
                    self._tell("outcome", message.data)
                    return True
                if message.id > self._seen:
                    self._seen = message.id
                    self._tell("progress", message.data)
        except Temporary:
            return False
        except BluegreenError as error:
            self._tell("refused", error)
            return True
        return False

    def _tell(self, kind: str, data: Any = None) -> None:
        self._queue.put((self._id, kind, data))


def _controller_lost(id: str) -> Temporary:
    return Temporary(
        "the controller went away while a rollout was under way; traffic is not affected",
        code="controller_lost",
        evidence=(("rollout", f"{id}: it goes on when the controller is back"),),
        hint="Start it again (`bluegreen up` or `bluegreen serve`), then look: `bluegreen status --watch`.",
    )


def _interrupted(session: Session, ids: Sequence[str], abort: bool) -> None:
    for id in ids:
        if abort:
            session.client.post(path("rollouts", id, "abort"))
            session.say(f"interrupted: rollout {id} is being aborted (`bluegreen status --watch` shows it)")
        else:
            session.say(
                f"interrupted: rollout {id} goes on without you.\n"
                f"  → Follow it: `bluegreen status --watch`. End it: `bluegreen abort {id}`."
            )


def _exit_code(ended: Any) -> int:
    codes = {int(r["outcome"]["exit_code"]) for r in ended}
    return next((code for code in _WORST_FIRST if code in codes), max(codes, default=0))
