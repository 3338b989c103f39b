"""How a service wants to be released. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """The bounds of one rollout.

    ``start_deadline`` bounds each phase before traffic moves; ``shares`` are the percentages of
    traffic the new color receives, one step after the other (``(100,)`` is blue/green: one atomic
    step), each held for ``step_pause``; the old color stays warm for ``bake``; requests in flight
    get ``drain`` to end; ``max_restarts`` is how often one instance may come back before it counts
    as crash-looping. ``cut_after`` is for connections that never end by themselves (WebSockets, event
    streams, long polls): so many seconds after the traffic moved, what is still open on the old color is
    closed at the balancer, and its clients come back to the new one (``None``: they are waited for, like
    any request). ``stop_first`` is for what cannot run twice (a database on one volume, a fixed
    host port): the old release is stopped before the new one starts.
    """

    start_deadline: float = 60.0
    shares: tuple[int, ...] = (100,)
    step_pause: float = 30.0
    bake: float = 300.0
    drain: float = 30.0
    cut_after: float | None = None
    max_restarts: int = 2
    stop_first: bool = False
