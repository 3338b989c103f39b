"""Finding a process by the files it has open, while it opens and closes others."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from bluegreen.drivers.balancers.nginx.processes import holds_a_file_of


def test_a_process_that_opens_and_closes_is_found_every_time(tmp_path: Path) -> None:
    ended = threading.Event()
    low = os.open("/dev/null", os.O_RDONLY)

    def open_and_close() -> None:
        while not ended.is_set():
            os.close(os.open("/dev/null", os.O_RDONLY))

    busy = threading.Thread(target=open_and_close)
    with (tmp_path / "error.log").open("w"):
        os.close(low)  # so that what comes and goes is listed before the file in question
        busy.start()
        try:
            found = {holds_a_file_of(tmp_path, Path("/proc/self/fd")) for _ in range(2000)}
        finally:
            ended.set()
            busy.join()
    assert found == {True}
    assert not holds_a_file_of(tmp_path, Path("/proc/self/fd"))
