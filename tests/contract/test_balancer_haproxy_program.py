"""Which program is taken for HAProxy, and what is said of one that cannot be; ports that need rights."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.drivers.balancers.haproxy import Options, open_balancer
from tests.support.haproxy_ways import system_haproxy

OPEN_A_LOW_PORT = """
import asyncio, json, sys
from pathlib import Path
from bluegreen.domain.errors import UserError
from bluegreen.domain.routing import Listener, Routing
from bluegreen.drivers.balancers.haproxy import Options, open_balancer

async def main():
    async with open_balancer(Options(state_dir=Path(sys.argv[1]))) as balancer:
        try:
            await balancer.apply(Routing(listeners={80: Listener(port=80)}))
        except UserError as error:
            print(json.dumps([error.code, error.message, error.hint]))

asyncio.run(main())
"""


def opened(folder: Path, binary: str | None) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), open_balancer(Options(state_dir=folder / "state", binary=binary)):
            pass

    asyncio.run(main())


def refusal(folder: Path, binary: str) -> UserError:
    with pytest.raises(UserError) as seen:
        opened(folder, binary)
    assert seen.value.hint
    return seen.value


def program(folder: Path, text: str) -> str:
    path = folder / "haproxy"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_what_comes_with_the_package_and_debians_own_are_fit(tmp_path: Path) -> None:
    opened(tmp_path, None)
    opened(tmp_path, str(system_haproxy()))


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    refused = refusal(tmp_path, str(tmp_path / "nowhere"))
    assert refused.code == "haproxy_missing"
    assert str(tmp_path / "nowhere") in refused.message


def test_a_file_that_may_not_be_executed_is_told_with_the_way_to_change_it(tmp_path: Path) -> None:
    path = Path(program(tmp_path, "#!/bin/sh\n"))
    path.chmod(0o644)
    refused = refusal(tmp_path, str(path))
    assert refused.code == "haproxy_unusable"
    assert f"chmod +x {path}" in refused.hint
    assert refusal(tmp_path, str(tmp_path)).code == "haproxy_unusable"


@pytest.mark.parametrize("version", ["2.5.14", "2.4.22-f8e3218", "1.9.8"])
def test_one_that_is_too_old_is_refused(tmp_path: Path, version: str) -> None:
    banner = f"HA-Proxy version {version} 2022/01/01 - https://haproxy.org/"
    refused = refusal(tmp_path, program(tmp_path, f"#!/bin/sh\necho '{banner}'\n"))
    assert refused.code == "haproxy_too_old"
    assert version in refused.message
    assert "2.6" in refused.hint


@pytest.mark.parametrize("text", ["#!/bin/sh\necho nginx version 1.2\n", "#!/bin/sh\nexit 127\n", "\0\0"])
def test_what_is_no_haproxy_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, program(tmp_path, text)).code == "haproxy_unusable"


def test_a_port_that_needs_rights_is_refused_with_the_way_around_it(tmp_path: Path) -> None:
    # In a network of its own, where low ports are not yet free for all, and without the right to them.
    without = ["unshare", "--net", "setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all"]
    command = [*without, sys.executable, "-c", OPEN_A_LOW_PORT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    code, message, hint = json.loads(done.stdout)
    assert code == "port_forbidden"
    assert "port 80 " in message
    assert "--publish 80=8080" in hint
