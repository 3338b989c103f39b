"""Exporter: what a balancer that bluegreen does not run would have to be told. Pure: nothing is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bluegreen.domain.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A configuration: ``files`` by name, for one folder; ``main`` is the one that names the others.

    ``command`` runs it, with ``{folder}`` for the folder. ``warnings`` say what could not be expressed.
    """

    main: str
    files: Mapping[str, str]
    command: str
    warnings: tuple[str, ...] = ()


class Exporter(Protocol):
    def __call__(self, routing: Routing) -> Exported:
        """Raises ``balancer_refused`` for a routing that has no words in this language."""
        ...
