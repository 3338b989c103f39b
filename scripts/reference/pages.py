"""Which page is made by what. Paths are relative to ``docs/``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bluegreen.cli import reference as cli
from bluegreen.stack import reference as stack_file
from reference import api, compatibility, errors, events, python_client, rollout, settings

_EXPLAINED = "explanation/how-a-release-goes.md"

PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli.render,
    "reference/settings.md": settings.render,
    "reference/stack-file.md": stack_file.render,
    "reference/errors.md": errors.render,
    "reference/rollout.md": rollout.render,
    "reference/api.md": api.render,
    "reference/events.md": events.render,
    "reference/python-client.md": python_client.render,
    "reference/compatibility.md": compatibility.render,
    _EXPLAINED: partial(rollout.fill, _EXPLAINED),
}
