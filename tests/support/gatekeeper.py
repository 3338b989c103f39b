"""A controller that dies at the worst moment: the process exists, and is not on record yet.

    python gatekeeper.py FILE

The process would create FILE. Prints its pid and waits for ``go`` (to let it begin) or the end.
"""

import os
import sys
from pathlib import Path

from bluegreen.drivers.runtimes.process.launcher import Gate, Launch

launch = Launch(
    command=("touch", sys.argv[1]),
    environment=dict(os.environ),
    directory="/",
    output=Path(f"{sys.argv[1]}.out"),
)
with Gate(launch) as gate:
    print(gate.process.pid, flush=True)
    if sys.stdin.readline() == "go\n":
        gate.open()
