"""What is wrong with an image can only be seen on a container engine: a program of another machine.

A missing image and a command that the image lacks are in :mod:`tests.e2e.test_docker_refusals`.
"""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from tests.e2e.bad_releases import base, begin, live, refused, under_load, with_policy
from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.house import APP, House

pytestmark = pytest.mark.docker

X86, ARM = 62, 183
"""Numbers of machines in the header of a program (ELF, ``e_machine``)."""


def foreign_program(folder: Path) -> Path:
    """Write a program for a machine that this one is not."""
    own = struct.unpack_from("<H", Path("/bin/true").read_bytes(), 18)[0]
    header = bytearray(Path("/bin/true").read_bytes())
    struct.pack_into("<H", header, 18, X86 if own == ARM else ARM)
    program = folder / "web"
    program.write_bytes(header)
    program.chmod(0o755)
    return program


def test_an_image_of_another_architecture_is_told_by_its_words(stocked: DockerEngine, tmp_path: Path) -> None:
    image = f"{APP}:foreign"
    images.build(
        stocked,
        image,
        'FROM bluegreen-test-app:1\nCOPY web /web\nCMD ["/web"]\n',
        foreign_program(tmp_path),
    )

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await live(house, with_policy(base(house), start_deadline=60.0))
            async with under_load(house):
                ended = await house.final(await begin(house, {}, image))
                refused(ended, "start_failed|crash_loop|instance_exited", "exec format error")

    asyncio.run(main())
