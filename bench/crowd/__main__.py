"""``python -m bench.crowd``: the real controller on the runtime of :mod:`bench.crowd`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bluegreen.server import serve
from bluegreen.settings import Settings

if __name__ == "__main__":
    # The setting allows only the runtimes that the package brings: it is not validated here.
    settings = Settings.model_construct(home=Path(os.environ["BLUEGREEN_HOME"]), runtime="crowd")  # type: ignore[arg-type]
    asyncio.run(serve(settings))
