"""``python -m bench``: measure every row, print the table, optionally write the page.

``python -m bench soak`` is another thing, with options of its own: :mod:`bench.soak.command`.

Exits 0 when every bar that could be measured is met, 1 when one is missed, 2 for a wrong call. What
could not be measured is said, never left out.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import sys
from pathlib import Path

from bench import machine, table
from bench.row import NotMeasured, Row
from bench.rows import ORDER
from bench.soak import command as soak

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "performance.md"


def measure(name: str) -> Row:
    """Run one row; a row that lacks something becomes a line that says so."""
    try:
        row: Row = importlib.import_module(f"bench.rows.{name}").measure()
    except NotMeasured as error:
        return Row(name=name, ours="not measured", peer="", ratio=None, bar="", ok=None, how=str(error))
    return row


def main() -> int:
    if sys.argv[1:2] == ["soak"]:
        return soak.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the bars of the design.")
    parser.add_argument("rows", nargs="*", help=f"which rows (default all): {', '.join(ORDER)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument("--write", action="store_true", help=f"also write {PAGE.name}")
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - set(ORDER):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ORDER)}")
    rows = []
    for name in arguments.rows or ORDER:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows.append(measure(name))
    facts = machine.describe()
    if arguments.json:
        print(json.dumps({"machine": facts, "rows": [row.to_dict() for row in rows]}))
    else:
        print(table.text(rows))
    if arguments.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(table.markdown(rows, facts, datetime.datetime.now(datetime.UTC).date().isoformat()))
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
