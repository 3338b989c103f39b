"""The class of every route: first the guard, then the operation, then one line of the audit trail.

A route class, as that comes before the body is read, and sees the request, its answer and its error together.
Whatever may change something leaves a line, whether it was done or refused. Whoever is not known leaves none:
those are in the log, and could fill a disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError

from bluegreen.api.access import guard, repeats, rights
from bluegreen.api.context import Context
from bluegreen.domain.access import Deed
from bluegreen.domain.errors import BluegreenError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

DONE = "done"


class GuardedRoute(APIRoute):
    async def admit(self, request: Request) -> None:
        """Raises what keeps the request from being carried out."""
        await guard.check(request)

    async def show(self, request: Request, operate: Handler) -> Response:
        """Return the answer to a request that changes nothing."""
        return await operate(request)

    def get_route_handler(self) -> Handler:
        operate = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if not rights.changes(guard.operation(request)):
                await self.admit(request)
                return await self.show(request, operate)
            outcome, rollout = "controller_fault", ""
            try:
                await self.admit(request)
                answer = await repeats.once(request, operate)
                outcome, rollout = DONE, getattr(request.state, "rollout", "") or _rollout(answer)
                return answer
            except BluegreenError as error:
                outcome = error.code
                raise
            except (RequestValidationError, ValidationError, HTTPException):
                outcome = "invalid_request"
                raise
            finally:
                await _note(request, self, outcome, rollout)

        return handle


async def _note(request: Request, route: APIRoute, outcome: str, rollout: str) -> None:
    if getattr(request.state, "actor", None) is None or getattr(request.state, "repeated", False):
        return
    use: Context = request.app.state.context
    who = guard.actor(request)
    deed = Deed(
        at=use.engine.drivers.clock.now(),
        who=who.name,
        role=who.role,
        via=who.via,
        origin=who.origin,
        what=f"{route.name.replace('_', ' ')} ({route.tags[0] if route.tags else 'api'})",
        outcome=outcome,
        stack=getattr(request.state, "stack", ""),
        target=_target(request),
        rollout=rollout,
    )
    await use.doorkeeper.note(deed)


def _target(request: Request) -> str:
    """Return what an operation is done to: of its address, or what it makes (``request.state.target``)."""
    named = request.path_params
    return str(named.get("name") or named.get("id") or getattr(request.state, "target", ""))


def _rollout(answer: Response) -> str:
    """Return the rollout that an answer tells of, or is (it has an outcome); empty when it is none."""
    with suppress(ValueError, TypeError, AttributeError, KeyError, IndexError):
        told = json.loads(bytes(answer.body))
        itself = told if "outcome" in told else None
        return str((itself or told.get("rollout") or told["rollouts"][0])["id"])
    return ""
