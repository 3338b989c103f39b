"""Names that are derived, never invented: colors, pools, instances.

A name is a pure function of what it names, so that a controller that comes back after a crash
finds what it had begun by asking for the same name again.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NewType

PoolId = NewType("PoolId", str)
"""``<stack>.<service>.<color>``."""

RouteId = NewType("RouteId", str)
"""``<stack>.<route>``."""


NAME_HINT = "use letters, digits, - and _, at most 63, and begin with a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def is_name(text: str) -> bool:
    """Whether ``text`` can name a stack, or a part of one. No dots: ``web.shop`` is ``web`` of ``shop``."""
    return _NAME.fullmatch(text) is not None


class Color(StrEnum):
    """The slot in which a release of a service runs."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Color:
        return Color.GREEN if self is Color.BLUE else Color.BLUE


def declared_color(service: str) -> Color | None:
    """Return the color that a service carries in its own name (``webx-green``), if any."""
    for color in Color:
        if service.endswith((f"-{color}", f"_{color}")):
            return color
    return None


def first_color(service: str) -> Color:
    """Return the color of a service's first release: the one in its name, else blue."""
    return declared_color(service) or Color.BLUE


def color_sibling(service: str) -> str | None:
    """Return the name of the service of the other color (``webx-green`` → ``webx-blue``)."""
    color = declared_color(service)
    return None if color is None else service[: -len(color)] + color.other


def pool_id(stack: str, service: str, color: Color | None) -> PoolId:
    return PoolId(f"{stack}.{service}" if color is None else f"{stack}.{service}.{color}")


def route_id(stack: str, route: str) -> RouteId:
    return RouteId(f"{stack}.{route}")


def instance_name(stack: str, service: str, release: int, index: int) -> str:
    """Return the deterministic name of one instance, for example ``shop-web-r3-1``."""
    return f"{stack}-{service}-r{release}-{index}"


def release_of(instance: str) -> int:
    """Return the number of the release that an instance's name tells of; 0 when it tells of none."""
    number = instance.rpartition("-")[0].rpartition("-r")[2]
    return int(number) if number.isdecimal() else 0


def color_of(pool: PoolId) -> Color:
    """Return the color of a pool. Raises ``ValueError`` when ``pool`` is not a pool's id."""
    return Color(pool.rsplit(".", 1)[1])


def stack_of(pool: PoolId) -> str:
    """Return the name of the stack a pool belongs to."""
    return pool.split(".")[0]


def service_of(pool: PoolId) -> str:
    """Return the name of the service a pool belongs to."""
    return pool.split(".")[1]
