"""``python -m bench soak``: the options, the runs, the output.

Exits 0 when everything healed, left the rotation when it had to, and nothing was lost but what its fault
explains (:mod:`bench.soak.faults` says what that is); 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench import machine
from bench.row import NotMeasured
from bench.soak import page
from bench.soak.faults import KINDS
from bench.soak.run import Soaked, soak

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "soak.md"
RUNTIMES = ("process", "docker")


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    runtimes = RUNTIMES if options.runtime == "both" else (options.runtime,)
    print(f"seed {options.seed}, {options.seconds:g} s on {' and '.join(runtimes)}", file=sys.stderr)
    found: list[Soaked] = []
    for runtime in runtimes:
        try:
            share = options.seconds / len(runtimes)
            found.append(asyncio.run(soak(runtime, share, options.seed, frozenset(options.only))))
        except NotMeasured as error:
            print(f"{runtime}: not measured: {error}", file=sys.stderr)
            return 1
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1))
    print(page.text(found, options.seed, machine.describe()))
    if options.write:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        PAGE.write_text(page.markdown(found, options.seed, machine.describe(), day, options.note))
    return 1 if any(page.complaints(one) for one in found) else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench soak", description="One fault after the other under load, and what it costs."
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="how long, in all (default 600)")
    parser.add_argument(
        "--runtime", choices=[*RUNTIMES, "both"], default="both", help="default both, half each"
    )
    parser.add_argument("--seed", type=int, default=3, help="of the order of faults (default 3)")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=[k.name for k in KINDS],
        metavar="FAULT",
        help="these faults only",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was seen into FILE")
    parser.add_argument("--write", action="store_true", help=f"also write {PAGE.name}")
    parser.add_argument("--note", default="", help="a sentence for the page: what else the machine did")
    return parser.parse_args(arguments)
