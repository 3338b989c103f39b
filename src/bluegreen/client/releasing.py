"""The part of the client that begins and ends rollouts, and brings stacks up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.client.answers import Change, Planned, Rollout, Up
from bluegreen.client.connection import Connection, path
from bluegreen.client.reading import read, read_all

Document = Mapping[str, Any]
"""A stack as the API takes it: what :func:`bluegreen.client.stack_file` and :meth:`Releasing.stack_of`
return."""


class Releasing(Connection):
    """Release. What begins a rollout returns at once: see ``follow`` and ``wait``; ``None`` says that nothing
    is to be done."""

    def deploy(
        self, service: str, *, image: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Rollout | None:
        """Begin a new release: another image, other environment values, or the same once more.

        Raises ``UserError``: ``unknown_service``, ``rollout_in_progress``, and others.
        """
        body = {"image": image, "environment": dict(environment or {})}
        return self._begin(path("services", service, "deploy"), body)

    def rollback(self, name: str, *, to: int | None = None) -> Rollout | None:
        """Go back: a service to its former release (or the release ``to``), a route to its former color.

        Raises ``UserError`` (``unknown_release`` and others).
        """
        return self._begin(path("services", name, "rollback"), {"to": to})

    def redeploy(self, name: str) -> Rollout | None:
        """Converge to the definition: a balancer moves its traffic, a service gets a new release."""
        return self._begin(path("services", name, "redeploy"))

    def switch(self, route: str, target: str) -> Rollout | None:
        """Move the traffic of a route to a service, or to ``blue`` or ``green``, gated on its health.

        Raises ``UserError`` (``unknown_route``, ``target_unhealthy``, …).
        """
        return self._begin(path("routes", route, "switch"), {"target": target})

    def abort(self, rollout: Rollout | str) -> Rollout:
        """End a rollout: clean up before traffic moved, go back afterwards. Raises ``UserError``
        (``too_late``, ``unknown_rollout``)."""
        return self._say(rollout, "abort")

    def pause(self, rollout: Rollout | str) -> Rollout:
        """Have a rollout go no further until :meth:`resume` or :meth:`promote`. Raises ``UserError``
        (``too_late``, ``unknown_rollout``)."""
        return self._say(rollout, "pause")

    def resume(self, rollout: Rollout | str) -> Rollout:
        """Have a paused rollout go on, with the time that was left. Raises as :meth:`pause` does."""
        return self._say(rollout, "resume")

    def promote(self, rollout: Rollout | str, *, skip: str | None = None) -> Rollout:
        """Call a rollout good: skip the ``shares`` of a canary, or the ``bake`` once all traffic has moved.

        Give ``skip`` (either word) to skip that and nothing else. Raises as :meth:`pause` does.
        """
        return self._say(rollout, "promote", {"skip": skip})

    def _say(self, rollout: Rollout | str, word: str, body: Mapping[str, Any] | None = None) -> Rollout:
        id = rollout.id if isinstance(rollout, Rollout) else rollout
        return read(Rollout, self._calls.post(path("rollouts", id, word), body))

    def stack_of(self, name: str) -> Document:
        """Return a stack as it is wanted, as JSON in the model of the API. Raises ``unknown_stack``."""
        found: Document = self._calls.get(path("stacks", name))
        return found

    def plan(self, stack: Document, *, prune: bool = False) -> Planned:
        """Return what :meth:`up` would change, and change nothing."""
        where = path("stacks", str(stack["name"]), "plan")
        changes, tag = self._calls.plan(where, stack, {"prune": prune})
        return Planned(tag=tag, changes=read_all(Change, changes))

    def up(self, stack: Document, *, prune: bool = False, planned: Planned | None = None) -> Up:
        """Make this stack what is wanted; returns once its rollouts are begun.

        With ``planned`` it raises ``UserError`` (``stack_changed``) when somebody changed the stack since.
        """
        headers = {"If-Match": planned.tag} if planned is not None and planned.tag else {}
        found = self._calls.put(path("stacks", str(stack["name"])), stack, {"prune": prune}, headers=headers)
        return read(Up, found)

    def down(self, stack: str) -> None:
        """Remove a stack: listeners, instances, and the wish for it. Its history stays."""
        self._calls.delete(path("stacks", stack))
