"""A duration as people type it: ``30s``, ``5m``, ``1h30m``."""

from __future__ import annotations

import click

from bluegreen.stack.problems import Invalid
from bluegreen.stack.scalars import parse_duration


class Duration(click.ParamType[float]):
    """Converts to seconds; refuses what is no duration, and zero."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = parse_duration(str(value))
        except Invalid as error:
            self.fail(f"{error} ({error.hint})" if error.hint else str(error), param, ctx)
        if seconds <= 0:
            self.fail("it must be longer than nothing", param, ctx)
        return seconds
