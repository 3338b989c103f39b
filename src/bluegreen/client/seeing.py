"""The part of the client that looks and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bluegreen.client.answers import About, Event, Instance, Lock, Rollout, Route, Service, Stack, Status
from bluegreen.client.connection import Connection, path
from bluegreen.client.reading import read, read_all


class Seeing(Connection):
    """See."""

    def about(self) -> About:
        """Return which controller answers."""
        return read(About, self._calls.get("/v1/about"))

    def status(self) -> Status:
        """Return services, routes, instances and rollouts under way, at one look."""
        return read(Status, self._calls.get("/v1/status", self._scope))

    def services(self) -> tuple[Service, ...]:
        """Return every service with its colors and what is live."""
        return read_all(Service, self._calls.get("/v1/services", self._scope))

    def routes(self) -> tuple[Route, ...]:
        """Return every route with its shares."""
        return read_all(Route, self._calls.get("/v1/routes", self._scope))

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances, of one service if it is named."""
        query = {**self._scope, "service": service}
        return read_all(Instance, self._calls.get("/v1/instances", query))

    def locks(self) -> tuple[Lock, ...]:
        """Return the locks that hold: what nothing new is released of, by whose word and why."""
        return read_all(Lock, self._calls.get("/v1/locks", self._scope))

    def stacks(self) -> tuple[Stack, ...]:
        """Return the stacks that are wanted."""
        return read_all(Stack, self._calls.get("/v1/stacks"))

    def history(self, service: str | None = None, *, limit: int = 50) -> tuple[Rollout, ...]:
        """Return at most ``limit`` rollouts (1 to 1000), of one service if it is named, newest first."""
        query = {**self._scope, "service": service, "limit": limit}
        return read_all(Rollout, self._calls.get("/v1/rollouts", query))

    def rollout(self, id: str) -> Rollout:
        """Return one rollout; ``id`` may be the beginning of one. Raises ``UserError``
        (``unknown_rollout``)."""
        return read(Rollout, self._calls.get(path("rollouts", id)))

    def events(
        self,
        *,
        service: str | None = None,
        rollout: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> tuple[Event, ...]:
        """Return the newest events, or the first ones after the id ``after``; oldest first."""
        query = {**self._scope, "service": service, "rollout": rollout, "after": after, "limit": limit}
        return read_all(Event, self._calls.get("/v1/events", query))

    def logs(self, instance: str, *, tail: int = 100, follow: bool = False) -> Iterator[str]:
        """Yield the last ``tail`` lines of an instance's output; with ``follow`` go on with what comes."""
        yield from self._calls.lines(path("instances", instance, "logs"), {"tail": tail, "follow": follow})
