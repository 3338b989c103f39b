"""A service is locked while users come: a pipeline is refused, the way back is not, whoever dies."""

from __future__ import annotations

import asyncio

from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import APP, House, managed


def test_nothing_new_gets_past_a_lock_and_the_way_back_does() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, stop_grace=1.0))

            async def run(*words: str, code: int = 0) -> str:
                ran = await house.cli(*words)
                assert ran.code == code, ran
                return ran.out + ran.err

            async with house.users(slow_path="/slow?seconds=0.3") as load:
                await run("deploy", "web", "--image", f"{APP}:0.0.2")
                assert "web.shop: locked" in await run("lock", "web", "--why", "the sale runs", "--for", "1h")
                house.kill()
                await house.start()
                refused = await run("deploy", "web", "--image", f"{APP}:0.0.2", code=2)
                assert "web.shop is locked: the sale runs" in refused
                assert "bluegreen unlock web.shop" in refused
                for look in ("lock", "status"):
                    assert "the sale runs" in await run(look), look
                assert "stack shop: locked" in await run("lock", "shop", "--why", "so does the other one")
                assert await house.version() == "0.0.2"
                await run("rollback", "web")
                assert await house.version() == "0.0.1"
                await run("unlock", "shop")
                await run("deploy", "web", "--image", f"{APP}:0.0.2", code=2)
                assert "(it was " in await run("unlock", "web")
                assert "nothing is locked" in await run("lock")
                assert "is not locked" in await run("unlock", "web", code=2)
                await run("deploy", "web", "--image", f"{APP}:0.0.2")
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())
