"""A command's turn at a stack: what a person named, looked up again once nobody else is at it.

What was seen before the lock is held may have been changed, or taken down, by the command that held it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bluegreen.domain.stack import RouteSpec, StackSpec
from bluegreen.engine.commands import lookup
from bluegreen.engine.engine import Engine
from bluegreen.engine.ledger import ServiceKey


@asynccontextmanager
async def of_stack(engine: Engine, name: str) -> AsyncIterator[StackSpec]:
    """Hold the stack, as it is now. Raises ``UserError`` (``unknown_stack``), also when its turn comes."""
    lookup.stack(engine, name)
    async with engine.lock(name):
        yield lookup.stack(engine, name)


@asynccontextmanager
async def of_service(engine: Engine, name: str, in_stack: str | None = None) -> AsyncIterator[ServiceKey]:
    """Hold the stack of a service. Raises as :func:`lookup.service` does, also when its turn comes."""
    stack, service = lookup.service(engine, name, in_stack)
    async with engine.lock(stack):
        yield lookup.service(engine, service, stack)


@asynccontextmanager
async def of_routes(
    engine: Engine, name: str, in_stack: str | None = None
) -> AsyncIterator[list[tuple[StackSpec, RouteSpec]]]:
    """Hold the stack of a route, or of a balancer's routes, as they are now. Raises as
    :func:`lookup.routes` does, also when its turn comes."""
    stack = lookup.routes(engine, name, in_stack)[0][0].name
    async with engine.lock(stack):
        yield lookup.routes(engine, name, stack)
