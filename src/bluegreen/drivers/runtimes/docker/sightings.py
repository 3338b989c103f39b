"""What was seen of each container, for as long as events prove that nothing changed since.

The Engine's list lacks exit codes, start times and restarts; one inspection per container and
question would make a controller's cost grow with what exists. An inspection is remembered only
while an event stream is being read, dropped by the first event about its container, and not used
while a reader has not yet come back for more (its next event may already be waiting). Events may be
lost nevertheless: it is not used either when the list shows the container otherwise, and those that are
longest ago are made again bit by bit (:meth:`Sightings.oldest`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from bluegreen.domain.instance import Instance
from bluegreen.drivers.runtimes.docker.looks import Look

Owner = tuple[str, str, str]
"""(stack, service, name) of a container."""


class Sightings:
    """The memory of one runtime. Touched from one event loop only."""

    def __init__(self) -> None:
        self.owners: dict[str, Owner] = {}
        self._seen: dict[str, tuple[Look, Instance]] = {}
        self._asked: dict[str, object] = {}
        self._codes: dict[str, int] = {}
        self._connected = 0
        self._caught_up = 0

    def recall(self, container: str, look: Look) -> Instance | None:
        """Return what was seen of ``container`` if it still holds; ``look`` is how it is listed."""
        seen_look, instance = self._seen.get(container, (None, None))
        return instance if self._caught_up and seen_look == look else None

    def oldest(self, count: int) -> tuple[str, ...]:
        """Return the containers whose inspections are longest ago."""
        return tuple(islice(self._seen, count))

    def asking(self, container: str) -> object:
        """Return a token for an inspection that begins now: only the latest answer is kept."""
        token = self._asked[container] = object()
        return token

    def keep(self, container: str, token: object, look: Look, instance: Instance) -> None:
        self.owners[container] = (instance.stack, instance.service, instance.name)
        if self._asked.get(container) is token:
            del self._asked[container]
            if self._connected:
                self._seen.pop(container, None)  # so that the order is that of the inspections
                self._seen[container] = (look, instance)

    def ended(self, container: str, code: int | None) -> None:
        """An event told with which code ``container`` ended: an inspection hides it once it runs again."""
        if code is not None:
            self._codes[container] = code

    def with_last_end(self, container: str, instance: Instance) -> Instance:
        """Return ``instance`` with the exit code of its last end, where the Engine brought it back."""
        if instance.exit_code is not None or not instance.restarts:
            return instance
        return replace(instance, exit_code=self._codes.get(container))

    def doubt(self, container: str) -> None:
        """Something happened to ``container``, or is about to: look again."""
        self._seen.pop(container, None)
        self._asked.pop(container, None)

    def forget(self, container: str) -> None:
        self.doubt(container)
        self.owners.pop(container, None)
        self._codes.pop(container, None)

    def retain(self, containers: Collection[str]) -> None:
        """Forget all but these: the end of a container that fell into a gap is never told."""
        for container in self.owners.keys() - set(containers):
            self.forget(container)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Mark that an event stream is open. Whatever was seen before or after it is worth nothing."""
        self._drop()
        self._connected += 1
        try:
            yield
        finally:
            self._connected -= 1
            self._drop()

    @contextmanager
    def caught_up(self) -> Iterator[None]:
        """Mark that all events that have arrived are digested: the reader waits for the next."""
        self._caught_up += 1
        try:
            yield
        finally:
            self._caught_up -= 1

    def _drop(self) -> None:
        self._seen.clear()
        self._asked.clear()
