"""The controller on another machine by ``--host ssh://``: a real sshd, a real ssh, a real controller."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys

from tests.support import ssh_server
from tests.support.house import House, managed
from tests.support.ssh_server import SshServer
from tests.support.waiting import until


def test_a_release_by_ssh_and_nothing_is_left() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            with ssh_server.serving(BLUEGREEN_HOME=str(house.home)) as server:
                await ssh_server.ready(server)
                by_ssh = {**server.environment, "BLUEGREEN_HOST": "ssh://box"}
                ran = await house.cli(
                    "deploy", "web", "--image", "tactivos/devops-challenge:0.0.2", environment=by_ssh
                )
                assert ran.code == 0, ran
                assert "release 2" in ran.err
                assert await house.version() == "0.0.2"
                refused = await house.cli("switch", "nowhere", "web", environment=by_ssh)
                assert (refused.code, "unknown_route" in refused.err) == (2, True), refused
                seen = await house.cli("top", "--once", environment=by_ssh)
                assert "● green" in seen.out, seen
                await _a_stream_ends_with_ctrl_c(house, by_ssh)
                await _nothing_is_left(server)

    asyncio.run(main())


async def _a_stream_ends_with_ctrl_c(house: House, by_ssh: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bluegreen",
        "events",
        "-f",
        env=house.environment | by_ssh,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while b"release 2" not in await process.stdout.readline():
            pass
        await house.post("/v1/services/web/scale", {"replicas": 3})
        while b"3" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert await process.wait() == 130


async def _nothing_is_left(server: SshServer) -> None:
    async def gone() -> bool:
        return server.clients() == []

    await until(gone)


def test_what_ssh_or_the_other_side_refuses_is_said_with_its_cause() -> None:
    async def main() -> None:
        house = House()
        try:
            with ssh_server.serving() as server, ssh_server.serving(programs="/nowhere") as bare:
                await ssh_server.ready(server)
                await ssh_server.ready(bare)
                seen = [await _code(house, server, f"ssh://box{house.home}/bluegreen.sock")]
                seen.append(await _code(house, bare, "ssh://box"))
                server.configure(IdentityFile=str(server.folder / "other_key"))
                seen.append(await _code(house, server, "ssh://box"))
                server.configure(UserKnownHostsFile="/dev/null")
                seen.append(await _code(house, server, "ssh://box"))
                server.configure(Port="1")
                seen.append(await _code(house, server, "ssh://box"))
                server.configure(HostName="no-such-host.invalid")
                seen.append(await _code(house, server, "ssh://box"))
                assert seen == [
                    "no_controller",
                    "ssh_no_bluegreen",
                    "ssh_refused",
                    "ssh_refused",
                    "ssh_unreachable",
                    "bad_host",
                ]
                await _nothing_is_left(server)
        finally:
            shutil.rmtree(house.home)

    asyncio.run(main())


async def _code(house: House, server: SshServer, host: str) -> str:
    ran = await house.cli("status", "--json", "--host", host, environment=server.environment)
    error = ran.json()["error"]
    assert error["hint"], ran
    assert "box" in error["message"], ran
    return str(error["code"])
