"""The part of the client that follows what happens, over restarts of the controller."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from bluegreen.client.answers import Event, Rollout
from bluegreen.client.connection import Connection, path
from bluegreen.client.reading import read
from bluegreen.domain.errors import Temporary
from bluegreen.wire.client import Message

RECONNECT = 30.0
"""Seconds for which a controller that went away is looked for."""

_RETRY = 0.2


class Following(Connection):
    """Follow."""

    def follow(self, rollout: Rollout | str, *, until: str = "settled") -> Iterator[Event]:
        """Yield what happens to a rollout, from its beginning, until users are served (``settled``), or to
        the end of its bake (``final``). :meth:`rollout` or :meth:`wait` then tell its outcome.

        Raises ``Temporary`` (``controller_lost``) when the controller stays away for 30 s; the rollout goes
        on when it is back.
        """
        for found in self._story(rollout, until):
            if isinstance(found, Event):
                yield found

    def wait(self, rollout: Rollout | str, *, until: str = "settled") -> Rollout:
        """Return the rollout once it is ``settled`` or ``final``, with its outcome. Raises as
        :meth:`follow`."""
        return next(found for found in self._story(rollout, until) if isinstance(found, Rollout))

    def watch(self, *, service: str | None = None, after: int | None = None) -> Iterator[Event]:
        """Yield everything that happens from now on, or after the event ``after``, for ever.

        Raises ``Temporary`` (``controller_lost``) when the controller stays away for 30 s.
        """
        query = {**self._scope, "service": service}
        for message in self._messages("/v1/events/stream", query, after):
            yield read(Event, message.data)

    def _story(self, rollout: Rollout | str, until: str) -> Iterator[Event | Rollout]:
        """Yield the events, each once, then the rollout."""
        id, seen = rollout.id if isinstance(rollout, Rollout) else rollout, 0
        for message in self._messages(path("rollouts", id, "stream"), {"until": until}, 0):
            if message.event == "outcome":
                yield read(Rollout, message.data)
                return
            if message.id > seen:
                seen = message.id
                yield read(Event, message.data)

    def _newest(self, query: Mapping[str, object]) -> int:
        """Return the id of the newest event, 0 before the first: a restart may come before there is more."""
        found = self._calls.get("/v1/events", {**query, "limit": 1})
        return int(found[-1]["id"]) if found else 0

    def _messages(self, where: str, query: Mapping[str, object], after: int | None) -> Iterator[Message]:
        """Yield the messages of a stream after ``after`` (``None``: the newest event), over as many
        connections as it takes."""
        lost_at: float | None = None
        while True:
            try:
                after = self._newest(query) if after is None else after
                for message in self._calls.stream(where, query, after=after):
                    after = message.id or after
                    yield message
                lost_at = None  # it was open until now, however quiet it was
            except Temporary as error:
                if lost_at is not None and time.monotonic() - lost_at > RECONNECT:
                    raise _lost(where, error) from error
            lost_at = time.monotonic() if lost_at is None else lost_at
            time.sleep(_RETRY)


def _lost(where: str, error: Temporary) -> Temporary:
    return Temporary(
        "the controller went away and did not come back; traffic is not affected",
        code="controller_lost",
        evidence=(("stream", where), ("last try", error.message)),
        hint="Rollouts go on when it is back. Start it again: `bluegreen serve`.",
    )
