"""The part of the client that is an operator's hand on what runs."""

from __future__ import annotations

from collections.abc import Mapping

from bluegreen.client.answers import Lock, Rollout
from bluegreen.client.connection import Connection, path
from bluegreen.client.reading import read


class Steering(Connection):
    """Steer."""

    def scale(self, service: str, replicas: int) -> None:
        """Have this many instances (0 to 1000): new ones enter once they are well, others are drained
        first."""
        self._calls.post(path("services", service, "scale"), {"replicas": replicas}, self._scope)

    def start(self, service: str) -> Rollout | None:
        """Start a stopped or terminated service."""
        return self._begin(path("services", service, "start"))

    def stop(self, service: str, *, force: bool = False) -> None:
        """Stop every instance and keep it. Raises ``UserError`` (``live_color``) unless forced."""
        self._calls.post(path("services", service, "stop"), {"force": force}, self._scope)

    def drain(
        self, instance: str, *, why: str = "", seconds: float | None = None, force: bool = False
    ) -> None:
        """Give an instance no new requests, until :meth:`ready` or for ``seconds``.

        Raises ``UserError`` (``last_instance``) for the last one that serves, unless forced.
        """
        body = {"why": why, "seconds": seconds, "force": force}
        self._calls.post(path("instances", instance, "drain"), body)

    def ready(self, instance: str) -> None:
        """Take back :meth:`drain` or :meth:`force_up`: the checks of the instance decide again."""
        self._calls.post(path("instances", instance, "ready"))

    def force_up(self, instance: str, *, why: str, seconds: float | None = None) -> None:
        """Keep an instance in rotation, whatever its checks say, until :meth:`ready` or for ``seconds``."""
        self._calls.post(path("instances", instance, "force-up"), {"why": why, "seconds": seconds})

    def restart(self, instance: str, *, why: str = "", force: bool = False) -> None:
        """Have an instance drained, stopped, started, and in again once it is well; returns at once."""
        self._calls.post(path("instances", instance, "restart"), {"why": why, "force": force})

    def close(self, route: str, *, why: str = "", page: str = "", retry_after: int = 60) -> None:
        """Answer 503 with a page on a route: maintenance. ``retry_after`` is in seconds, ``page`` HTML."""
        body = {"why": why, "page": page, "retry_after": retry_after}
        self._calls.put(path("routes", route, "maintenance"), body, self._scope)

    def open(self, route: str) -> None:
        """End the maintenance of a route."""
        self._calls.delete(path("routes", route, "maintenance"), self._scope)

    def lock(self, service: str, *, why: str, seconds: float | None = None) -> Lock:
        """Let nothing new be released of a service until :meth:`unlock`, or for ``seconds``; to go back stays
        possible. Raises ``UserError`` (``locked``) when somebody else has locked it."""
        return self._lock(path("services", service, "lock"), why, seconds, self._scope)

    def unlock(self, service: str) -> Lock:
        """Take the lock of a service away, whoever gave it. Raises ``UserError`` (``not_locked``)."""
        return read(Lock, self._calls.delete(path("services", service, "lock"), self._scope))

    def lock_stack(self, stack: str, *, why: str, seconds: float | None = None) -> Lock:
        """The same for all of a stack."""
        return self._lock(path("stacks", stack, "lock"), why, seconds, {})

    def unlock_stack(self, stack: str) -> Lock:
        """Take the lock of a stack away; those of its services stay. Raises as :meth:`unlock` does."""
        return read(Lock, self._calls.delete(path("stacks", stack, "lock")))

    def _lock(self, where: str, why: str, seconds: float | None, scope: Mapping[str, object]) -> Lock:
        return read(Lock, self._calls.put(where, {"why": why, "seconds": seconds}, scope))

    def forget_box(self, box: str) -> None:
        """Miss the balancer of another box no more, as it is gone for good. Raises ``UserError``
        (``unknown_box``, ``box_follows``)."""
        self._calls.delete(path("boxes", box), self._scope)
