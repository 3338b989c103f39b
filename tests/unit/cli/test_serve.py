"""How the controller is loaded."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import gc
from bluegreen.lifetime import loading
with loading():
    assert not gc.isenabled()
    import bluegreen.server
assert gc.isenabled()
print(gc.get_freeze_count() > 10 * len(gc.get_objects()))
"""


def test_what_stays_is_looked_through_by_no_later_collection() -> None:
    """In a program of its own: it would hold for all tests of this one."""
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
