"""A controller to be killed: opens the process runtime, starts one instance, waits for its end.

    python process_controller.py STATE_DIR < instance.json

Prints ``open`` once the instance was started.
"""

import asyncio
import sys
from pathlib import Path

from pydantic import TypeAdapter

from bluegreen.domain.instance import InstanceSpec
from bluegreen.drivers.runtimes.process import Options, open_runtime


async def main() -> None:
    wanted = TypeAdapter(InstanceSpec).validate_json(sys.stdin.read())
    async with open_runtime(Options(state_dir=Path(sys.argv[1]))) as runtime:
        await runtime.start(wanted)
        print("open", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
