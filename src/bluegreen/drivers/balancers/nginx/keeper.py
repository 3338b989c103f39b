"""How an NGINX is kept on the configuration of a routing: one of our own, or one that is somebody else's.

The driver remembers, observes and guards in the same way in both cases; a keeper is only what differs.
"""

from __future__ import annotations

from typing import Protocol

from bluegreen.domain.routing import Routing
from bluegreen.drivers.balancers.nginx.processes import Processes


class Keeper(Protocol):
    shared: bool
    """Whether others' traffic runs through it as well."""

    def generation(self) -> int:
        """Return the generation of the configuration on disk, 0 without one."""
        ...

    async def find(self, orphans: bool = False) -> Processes:
        """Return its processes; with ``orphans`` also workers that outlived a master, which takes longer."""
        ...

    async def replace(self, routing: Routing, generation: int, running: Processes) -> None:
        """Put ``routing`` in force as ``generation``; return once nobody accepts by the former one any more.

        Raises ``balancer_refused`` with NGINX's words; the former configuration is then in force.
        """
        ...

    async def answers(self) -> int | None:
        """Return which generation answers now, ``None`` when nothing does."""
        ...

    async def revive(self, generation: int) -> Processes:
        """Bring NGINX back, which has died, on the configuration on disk."""
        ...

    async def end(self) -> None:
        """Serve nothing of ours any more, and leave no configuration behind."""
        ...
