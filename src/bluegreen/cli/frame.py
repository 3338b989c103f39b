"""One frame of ``top``: what the status and the balancer's counters say, as a plain document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Counts = Mapping[tuple[str, str, str], float]
"""Requests since the balancer counts, by (stack, service, color)."""

_COUNTED = re.compile(
    r'^bluegreen_requests_total\{color="([^"]*)",service="([^"]*)",stack="([^"]*)"\} (\S+)', re.MULTILINE
)


def counts(metrics: str) -> Counts:
    """Return the counters of requests from the text of ``/metrics``."""
    return {(stack, service, color): float(text) for color, service, stack, text in _COUNTED.findall(metrics)}


class Rates:
    """Requests per second, from what was counted at two looks."""

    def __init__(self) -> None:
        self._at = 0.0
        self._counts: Counts = {}

    def take(self, at: float, found: Counts) -> dict[tuple[str, str, str], float]:
        """Return the rates since the last look; none at the first, nor where the balancer began anew."""
        before, passed = self._counts, at - self._at
        self._at, self._counts = at, found
        if passed <= 0:
            return {}
        return {
            key: (now - before[key]) / passed
            for key, now in found.items()
            if key in before and now >= before[key]
        }


def frame(
    at: float, status: Mapping[str, Any], rates: Mapping[tuple[str, str, str], float]
) -> dict[str, Any]:
    """Return what one frame shows. What is not known is ``None``; ``p50`` and ``p95`` are seconds, ``errors``
    a share of 0 to 1, ``rate`` requests per second."""
    return {
        "at": at,
        "services": [_service(service, rates) for service in status["services"]],
        "rollouts": [_rollout(rollout, at) for rollout in status["rollouts"]],
        "trouble": status["balancer"],
    }


def _service(service: Mapping[str, Any], rates: Mapping[tuple[str, str, str], float]) -> dict[str, Any]:
    own = (service["stack"], service["name"])
    return {
        "stack": service["stack"],
        "service": service["name"],
        "state": service["state"],
        "live": service["live_color"],
        "colors": [_color(color, rates.get((*own, color["color"]))) for color in service["colors"]],
    }


def _color(color: Mapping[str, Any], rate: float | None) -> dict[str, Any]:
    """``traffic`` is what the balancer measured, where it does: better than our two looks."""
    measured = color.get("traffic") or {}
    return {
        "color": color["color"],
        "release": color["release"],
        "image": color["image"],
        "healthy": color["serving"],
        "total": color["running"],
        "share": color["share"],
        "in_flight": color["in_flight"],
        "rate": measured.get("rate", rate),
        "errors": measured.get("errors"),
        "p50": measured.get("p50"),
        "p95": measured.get("p95"),
    }


def _rollout(rollout: Mapping[str, Any], at: float) -> dict[str, Any]:
    return {
        **{key: rollout[key] for key in ("id", "stack", "service", "kind", "target", "phase")},
        "seconds": max(0.0, at - rollout["since"]),
    }
