"""For orientation: how HAProxy's own ``set map`` compares with the reload of an NGINX."""

from __future__ import annotations

import asyncio
import statistics

from bench.peers import nginx_reload, set_map
from bench.row import Row, spread
from bench.switching import switch_under_load
from bluegreen.load import Plan

_TRIALS = 10


def measure() -> Row:
    with set_map() as peer:
        haproxy = asyncio.run(switch_under_load(Plan(url=peer.url), peer.switch, trials=_TRIALS))
    with nginx_reload() as peer:
        nginx = asyncio.run(switch_under_load(Plan(url=peer.url), peer.switch, trials=_TRIALS))
    return Row(
        name="bare HAProxy `set map` against NGINX reload: command to first answer of the new version",
        ours=spread(haproxy.first_new, "ms"),
        peer=spread(nginx.first_new, "ms"),
        ratio=statistics.median(haproxy.first_new) / statistics.median(nginx.first_new),
        bar="none: both are peers",
        ok=None,
        how=f"{_TRIALS} switches each under mixed load (keep-alive, one-shot, POST, slow)",
        note=f"`set map` itself takes {spread(haproxy.commands, 'ms', 2)}. HAProxy: {haproxy.describe()}. "
        f"NGINX: {nginx.describe()}.",
    )
