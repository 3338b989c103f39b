"""Live views on a terminal. The only module that draws with rich; imported when it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bluegreen.cli.output import clock, span
from bluegreen.domain.errors import BluegreenError
from bluegreen.wire.client import Client

_LOOK_EVERY = 0.5
_STYLES = {"error": "red", "warning": "yellow"}

_GOES_ON = {f"rollout.{what}" for what in ("resumed", "promoted", "failed", "cancelled", "rolled_back")}

_WAITS = {
    "preparing": "waits for the image",
    "starting": "waits for the instances to run",
    "proving": "waits for our probe and the check",
    "shifting": "moving the traffic",
    "baking": "waits for requests in flight on the old color",
    "draining": "waits for requests in flight on the old color",
    "retiring": "stopping the old color",
    "aborting": "cleaning up; no traffic had moved",
    "reverting": "moving the traffic back",
}


class LiveView:
    """What happened above, one line for each open rollout below: phase, what it waits for, time."""

    def __init__(self, client: Client, rollouts: Sequence[Mapping[str, Any]]) -> None:
        self._client = client
        self._rollouts = {r["id"]: dict(r) for r in rollouts}
        self._spinners = {r["id"]: Spinner("dots") for r in rollouts}
        self._instances: list[Mapping[str, Any]] = []
        self._began = time.monotonic()
        self._closed = threading.Event()
        self._live = Live(console=Console(stderr=True), refresh_per_second=8, transient=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed.set()
        self._live.stop()

    def progress(self, rollout: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        phase = event["data"].get("phase")
        known = self._rollouts.get(rollout["id"])
        if phase and known is not None:
            known["phase"] = phase
            known["paused"] = event["kind"] == "rollout.paused" or (
                known.get("paused", False) and event["kind"] not in _GOES_ON
            )
        time_ = Text(f"{clock(event['at'])}  ", style="dim")
        self._print(time_ + Text(event["message"], style=_STYLES.get(event["level"], "")))

    def note(self, message: str) -> None:
        self._print(Text(message, style="yellow"))

    def ended(self, rollout: Mapping[str, Any]) -> None:
        self._rollouts.pop(rollout["id"], None)

    def tick(self) -> None:
        self._live.update(Group(*(self._row(id, r) for id, r in list(self._rollouts.items()))))

    def _print(self, text: Text) -> None:
        self._live.console.print(text, highlight=False)

    def _row(self, id: str, rollout: Mapping[str, Any]) -> Table:
        row = Table.grid(padding=(0, 1))
        phase = Text(rollout["phase"], style="bold")
        elapsed = Text(span(time.monotonic() - self._began), style="dim")
        waits = "paused by hand" if rollout.get("paused") else _WAITS.get(rollout["phase"], "")
        told = Text(f"{waits}{self._proved(rollout)}")
        told.no_wrap, told.overflow = True, "ellipsis"
        row.add_row(self._spinners[id], Text(rollout["service"]), phase, elapsed, told)
        return row

    def _proved(self, rollout: Mapping[str, Any]) -> str:
        """Return how many instances of the target are well, as far as the last look showed."""
        color = rollout["target"].rpartition(".")[2]
        where = (rollout["stack"], rollout["service"], color)
        own = [i for i in self._instances if (i["stack"], i["service"], i["color"]) == where]
        if not own or rollout["phase"] not in {"starting", "proving"}:
            return ""
        well = sum(i["rotation"] == "in" or i["why"].startswith("healthy") for i in own)
        return f" · {well} of {rollout['replicas']} proved"

    def _look(self) -> None:
        while not self._closed.wait(_LOOK_EVERY):
            try:
                self._instances = self._client.get("/v1/instances", timeout=5)
            except BluegreenError:
                continue  # the stream's reader tells of it


class Screen:
    """The whole terminal, one text at a time; as it was once the block ends."""

    def __init__(self) -> None:
        self._live = Live(console=Console(), screen=True, auto_refresh=False)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        shown = Text.from_ansi(text)
        shown.no_wrap, shown.overflow = True, "ellipsis"
        self._live.update(shown, refresh=True)
