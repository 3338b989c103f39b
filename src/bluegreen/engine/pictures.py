"""Between a registry's listing and what it means: documents decoded and encoded, entry by entry.

One document that cannot be read costs that document only, and is told of in words.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

from bluegreen.domain.announcement import Document, Listing
from bluegreen.domain.naming import RouteId, route_id
from bluegreen.domain.publication import (
    BOXES,
    MARKS,
    REVISION,
    ROUTES,
    STRUCTURE,
    BoxReport,
    Mark,
    Picture,
    Revision,
    Share,
    Structure,
)
from bluegreen.ports.codec import UndecodableError, decode

T = TypeVar("T")


def picture(listing: Listing) -> tuple[Picture, tuple[str, ...]]:
    """Return what a listing shows, and in words each entry of it that could not be read."""
    told = list(listing.malformed)
    structure = _read(Structure, listing, STRUCTURE, told)
    last = _read(Revision, listing, REVISION, told)
    shares: dict[RouteId, Share] = {}
    for key in listing.documents:
        if key.startswith(ROUTES):
            share = _read(Share, listing, key, told)
            if share is not None:
                shares[route_id(listing.stack, key.removeprefix(ROUTES))] = share
    seen = (one.revision for one in (structure, last, *shares.values()) if one is not None)
    return Picture(
        structure=structure,
        shares=shares,
        members=listing.announcements,
        unwell=listing.unwell,
        revision=max(seen, default=0),
    ), tuple(told)


def reports(listing: Listing) -> dict[str, BoxReport]:
    """Return what the balancers on other boxes say of themselves, by their names."""
    found = {}
    for key in listing.documents:
        report = _read(BoxReport, listing, key, []) if key.startswith(BOXES) else None
        if report is not None:
            found[key.removeprefix(BOXES)] = report
    return found


def marks(listing: Listing) -> dict[str, Mark | None]:
    """Return the boxes that are to be heard of; ``None`` for one whose mark cannot be read."""
    return {
        key.removeprefix(MARKS): _read(Mark, listing, key, [])
        for key in listing.documents
        if key.startswith(MARKS)
    }


def share_key(route: RouteId, stack: str) -> str:
    """Return the key of the document that holds a route's weights."""
    return ROUTES + route.removeprefix(f"{stack}.")


@lru_cache(maxsize=512)
def _decoded(kind: Any, text: str) -> Any:
    """Most documents of a listing are those of the listing before; what they hold does not change."""
    return decode(kind, text)


def _read(kind: type[T], listing: Listing, key: str, told: list[str]) -> T | None:
    document: Document | None = listing.documents.get(key)
    if document is None:
        return None
    try:
        found: T = _decoded(cast("Hashable", kind), document.text)
        return found
    except UndecodableError as error:
        told.append(f"{key}: {error}")
        return None
