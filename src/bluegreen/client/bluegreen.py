"""The client: one object, its methods by what one wants to do."""

from __future__ import annotations

from bluegreen.client.following import Following
from bluegreen.client.releasing import Releasing
from bluegreen.client.seeing import Seeing
from bluegreen.client.steering import Steering


class Bluegreen(Seeing, Releasing, Following, Steering):
    """A controller. Each method is one call of its API, and raises what the controller refused.

    The arguments are those of :class:`~bluegreen.client.connection.Connection`.
    """
