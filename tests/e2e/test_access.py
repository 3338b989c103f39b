"""The controller by the network: TLS, tokens, what each role is refused, and the trail that it leaves."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil

from tests.support.certificates import self_signed_pem
from tests.support.house import House, Ran, managed
from tests.support.ports import free_port

NAME = "localhost"


class Door:
    """A house that also listens by TCP with TLS, and a folder with the certificate to trust."""

    def __init__(self, house: House, address: str, trusted: Path) -> None:
        self.house = house
        self.address = address
        self.trusted = trusted

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Door]:
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder, "box.pem")
            pem.write_text(self_signed_pem(NAME))
            port = free_port()
            files = {"tls_certificate": str(pem), "tls_key": str(pem)}
            async with House.standing(listen=f"127.0.0.1:{port}", **files) as house:
                yield cls(house, f"https://{NAME}:{port}", pem)

    async def token(self, name: str, role: str, *only: str) -> str:
        limits = [word for stack in only for word in ("--only", stack)]
        made = await self.house.cli("token", "create", name, "--role", role, *limits)
        assert made.code == 0, made
        assert "shown once" in made.err
        return made.out.strip()

    async def cli(self, token: str, *words: str, trusted: bool = True) -> Ran:
        """Run a command as somebody on another machine would: by the address, with a token."""
        elsewhere = {"BLUEGREEN_HOST": self.address, "BLUEGREEN_TOKEN": token}
        if trusted:
            elsewhere["BLUEGREEN_CA"] = str(self.trusted)
        return await self.house.cli(*words, environment=elsewhere)

    async def metrics(self, token: str) -> str:
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=self.trusted)) as client:
            answer = await client.get(f"{self.address}/metrics", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text
            return answer.text


def test_a_release_by_the_network_and_what_others_are_refused() -> None:
    async def main() -> None:
        async with Door.open() as door:
            await door.house.up(managed(door.house.port))
            deployer = await door.token("ci", "deployer", "shop")
            viewer = await door.token("wall", "viewer")
            async with door.house.users() as load:
                ran = await door.cli(deployer, "deploy", "web", "--image", "tactivos/devops-challenge:0.0.2")
                assert ran.code == 0, ran
                assert await door.house.version() == "0.0.2"
                result = await load.stop()
                assert result.failed == 0, result.first_failures

            seen = await door.cli(viewer, "status")
            assert (seen.code, "web" in seen.out) == (0, True), seen
            refused = await door.cli(viewer, "rollback", "web")
            assert refused.code == 2, refused
            assert "wall is viewer: this takes deployer" in refused.err
            assert "forbidden" in refused.err
            assert (await door.cli(deployer, "down", "shop", "--yes")).code == 2
            me = await door.cli(deployer, "whoami")
            assert me.out.strip() == "ci: deployer of shop, by token"

            seen_by_prometheus = await door.metrics(viewer)
            for color in ("blue", "green"):
                line = f'bluegreen_requests_total{{color="{color}",service="web",stack="shop"}}'
                (counted,) = [one for one in seen_by_prometheus.splitlines() if one.startswith(line)]
                assert float(counted.rpartition(" ")[2]) > 0

            trail = (await door.house.cli("audit", "--json")).json()
            assert [(d["who"], d["what"], d["outcome"]) for d in trail][:3] == [
                ("ci", "down (stacks)", "forbidden"),
                ("wall", "rollback (services)", "forbidden"),
                ("ci", "deploy (services)", "done"),
            ]
            assert trail[2]["rollout"]
            assert {d["origin"] for d in trail[:3]} == {"127.0.0.1"}
            by_socket = trail[-1]
            assert (by_socket["via"], by_socket["role"]) == ("socket", "admin")
            assert by_socket["who"] == psutil.Process().username()
            assert "deploy (services)" in (await door.house.cli("audit", "deploy")).out

    asyncio.run(main())


def test_tokens_outlive_the_controller_and_are_kept_nowhere() -> None:
    async def main() -> None:
        async with Door.open() as door:
            token = await door.token("ci", "admin")
            secret = token.split("_", 2)[2]
            door.house.kill()
            await door.house.start()
            assert (await door.cli(token, "whoami")).code == 0
            assert "ci" in (await door.cli(token, "token", "ls")).out
            found = [
                path
                for path in door.house.home.rglob("*")
                if path.is_file() and secret.encode() in path.read_bytes()
            ]
            assert found == []
            assert not [p for p in door.house.processes() if secret in " ".join(p.cmdline())]
            assert (await door.cli(token, "token", "rm", "ci")).code == 0
            gone = await door.cli(token, "whoami")
            assert gone.code == 2
            assert "BLUEGREEN_TOKEN" in gone.err

    asyncio.run(main())


def test_who_is_not_known_gets_nothing_and_has_to_wait() -> None:
    async def main() -> None:
        async with Door.open() as door:
            stranger = await door.cli("", "status")
            assert stranger.code == 2, stranger
            assert "this address of the controller wants a token" in stranger.err
            distrusting = await door.cli("bg_0_0", "status", trusted=False)
            assert distrusting.code == 1
            assert "BLUEGREEN_CA" in distrusting.err
            async with httpx.AsyncClient(verify=False, base_url=door.address) as client:
                wrong = {"Authorization": "Bearer bg_000000000000_wrong"}
                codes = [(await client.get("/v1/about", headers=wrong)).status_code for _ in range(12)]
                assert codes == [401] * 10 + [429] * 2
                late = await client.get("/v1/about", headers=wrong)
                assert 0 < int(late.headers["Retry-After"]) <= 61
                huge = await client.post("/v1/services/web/deploy", content=b" " * (9 * 1024 * 1024))
                assert huge.status_code == 413
            assert (await door.house.cli("status")).code == 0  # by the socket, as before

    asyncio.run(main())


def test_nothing_listens_on_the_network_unless_it_is_wanted_and_then_with_tls() -> None:
    async def main() -> None:
        async with House.standing() as house:
            (controller,) = house.processes("serve")
            listening = [c.laddr for c in controller.net_connections("inet") if c.status == "LISTEN"]
            assert listening == []
        async with Door.open() as door:
            (controller,) = door.house.processes("serve")
            (place,) = {c.laddr for c in controller.net_connections("inet") if c.status == "LISTEN"}
            assert ipaddress.ip_address(place.ip).is_loopback
        with tempfile.TemporaryDirectory() as home:
            serve = House()
            told = await serve.cli("serve", "--listen", f"0.0.0.0:{free_port()}", "--state-dir", home)
            assert told.code == 2, told
            assert "wants TLS" in told.err
            assert "--tls-certificate" in told.err
            assert os.listdir(home) in ([], ["controller.lock"])
            await serve.close()

    asyncio.run(main())
