"""Messenger: carries an event to where people are."""

from __future__ import annotations

from typing import Protocol

from bluegreen.domain.events import Event


class Messenger(Protocol):
    name: str

    async def tell(self, event: Event) -> None:
        """Deliver one event. Raises ``Temporary`` when it may work later, ``Permanent`` when it will not."""
        ...
