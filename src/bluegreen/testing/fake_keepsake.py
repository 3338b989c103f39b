"""A keepsake in memory: what is on the disk of a box that is started again."""

from __future__ import annotations


class FakeKeepsake:
    """See :class:`bluegreen.ports.keepsake.Keepsake`. ``text`` is what was kept last."""

    def __init__(self) -> None:
        self.text: str | None = None

    async def load(self) -> str | None:
        return self.text

    async def keep(self, text: str) -> None:
        self.text = text
