"""bluegreen for programs: what the command line does, with types.

    from bluegreen.client import Bluegreen

    with_token = Bluegreen("https://box.example:8443", token="bg_…")
    rollout = with_token.deploy("web", image="shop/web:1.4.2")

Every error is one of :mod:`bluegreen.domain.errors`, with ``code``, ``evidence`` and ``hint``.
"""

from __future__ import annotations

from bluegreen.client.answers import (
    About,
    Box,
    Change,
    Color,
    Event,
    Instance,
    Outcome,
    Planned,
    Reason,
    Rollout,
    Route,
    Service,
    Stack,
    Status,
    Traffic,
    Up,
)
from bluegreen.client.bluegreen import Bluegreen
from bluegreen.client.stack_file import stack_file
from bluegreen.domain.errors import BluegreenError, Bug, OutcomeUnknown, Permanent, Temporary, UserError

__all__ = [
    "About",
    "Bluegreen",
    "BluegreenError",
    "Box",
    "Bug",
    "Change",
    "Color",
    "Event",
    "Instance",
    "Outcome",
    "OutcomeUnknown",
    "Permanent",
    "Planned",
    "Reason",
    "Rollout",
    "Route",
    "Service",
    "Stack",
    "Status",
    "Temporary",
    "Traffic",
    "Up",
    "UserError",
    "stack_file",
]
