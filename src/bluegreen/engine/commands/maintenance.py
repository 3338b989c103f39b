"""Maintenance: a route answers 503 with a page to everybody, by a person's wish, until it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bluegreen.domain.check import CheckKind
from bluegreen.domain.composition import pool_settings
from bluegreen.domain.routing import Maintenance
from bluegreen.domain.stack import RouteSpec, StackSpec
from bluegreen.engine.commands import turn
from bluegreen.engine.commands.releases import change_stack
from bluegreen.engine.engine import Engine


async def begin(
    engine: Engine,
    route: str,
    *,
    why: str = "",
    page: str = "",
    retry_after: int = 60,
    stack: str | None = None,
) -> StackSpec:
    """Answer 503 with ``page`` (HTML; empty: a page of our own) on a route, or on all of a balancer.

    The path that its health check asks goes on answering 200, so that balancers in front keep this one.
    """
    now = engine.clock.now()

    def closed(spec: StackSpec, one: RouteSpec) -> Maintenance:
        check, _ = pool_settings(spec, one.target)
        asked = check.path.partition("?")[0] if check.kind is CheckKind.HTTP else None
        return Maintenance(why=why, page=page, health_path=asked, retry_after=retry_after, since=now)

    words = f"{route} is closed for maintenance" + (f": {why}" if why else "")
    return await _change(engine, route, stack, closed, words)


async def end(engine: Engine, route: str, *, stack: str | None = None) -> StackSpec:
    """Let the route's traffic through again."""
    return await _change(engine, route, stack, lambda _spec, _route: None, f"{route} is open again")


async def _change(
    engine: Engine,
    route: str,
    stack: str | None,
    wanted: Callable[[StackSpec, RouteSpec], Maintenance | None],
    words: str,
) -> StackSpec:
    """Record first, then have the balancer do it: who comes after a crash finds what was wanted."""
    async with turn.of_routes(engine, route, stack) as found:
        chosen = {one.name for _, one in found}

        def changed(spec: StackSpec) -> StackSpec:
            routes = (
                replace(one, maintenance=wanted(spec, one)) if one.name in chosen else one
                for one in spec.routes
            )
            return replace(spec, routes=tuple(routes))

        saved = await change_stack(engine, found[0][0].name, changed, words)
        await engine.compose()
        return saved
