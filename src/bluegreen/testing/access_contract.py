"""The contract of :class:`bluegreen.ports.access.AccessStore`: one suite for all drivers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import pytest

from bluegreen.domain.access import Deed, Role, Token, issue, proves
from bluegreen.domain.errors import UserError
from bluegreen.ports.access import AccessStore, DeedQuery
from bluegreen.testing.suite import Suite

NOW = 1_700_000_000.0


class Stage(Protocol):
    """Where one store lives. Everything is gone when its context ends."""

    def open(self) -> AbstractAsyncContextManager[AccessStore]:
        """Open the store as a controller does. May be open several times at once."""
        ...


def a_token(name: str = "ci", *stacks: str) -> tuple[Token, str]:
    return issue(name, Role.DEPLOYER, NOW, stacks=stacks, created_by="root", lifetime=60.0)


def a_deed(what: str = "deploy", who: str = "ci", stack: str = "shop") -> Deed:
    return Deed(
        at=NOW,
        who=who,
        role=Role.DEPLOYER,
        via="token",
        origin="10.0.0.9",
        what=what,
        outcome="done",
        stack=stack,
        target=f"web.{stack}",
        rollout="r-1",
    )


class AccessContract(Suite[Stage]):
    def test_a_token_is_there_after_a_restart_and_its_secret_is_not(self) -> None:
        async def scenario(stage: Stage) -> None:
            token, shown = a_token("ci", "shop", "blog")
            async with stage.open() as store:
                await store.keep_token(token)
            async with stage.open() as store:
                (kept,) = await store.tokens()
                assert kept == token
                assert proves(shown, kept)
                assert shown.split("_", 2)[2] not in repr(kept) + kept.digest

        self.run(scenario)

    def test_tokens_come_oldest_first_and_a_name_is_taken_once(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                for name in ("zoe", "ann"):
                    await store.keep_token(a_token(name)[0])
                with pytest.raises(UserError, match="zoe") as refused:
                    await store.keep_token(a_token("zoe")[0])
                assert refused.value.code == "token_exists"
                assert [token.name for token in await store.tokens()] == ["zoe", "ann"]

        self.run(scenario)

    def test_a_withdrawn_token_is_gone_and_its_name_is_free(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                token, _ = a_token()
                await store.keep_token(token)
                assert await store.withdraw_token(token.id)
                assert not await store.withdraw_token(token.id)
                assert await store.tokens() == ()
                await store.keep_token(a_token()[0])

        self.run(scenario)

    def test_deeds_come_newest_first_page_by_page(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                noted = [await store.note(a_deed(f"deploy {number}")) for number in range(5)]
            assert [deed.id for deed in noted] == sorted({deed.id for deed in noted})
            async with stage.open() as store:
                first = await store.deeds(DeedQuery(limit=2))
                assert first == (noted[4], noted[3])
                rest = await store.deeds(DeedQuery(before=first[-1].id))
                assert rest == (noted[2], noted[1], noted[0])

        self.run(scenario)

    def test_deeds_are_found_by_stack_by_whom_and_by_words(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                one = await store.note(a_deed("deploy 100 %", "Ann", "shop"))
                two = await store.note(a_deed("switch", "ci", "blog"))
                three = await store.note(a_deed("switch", "ci", "wiki"))
                found = {
                    "all": await store.deeds(DeedQuery()),
                    "of stacks": await store.deeds(DeedQuery(stacks=("shop", "blog"))),
                    "by whom": await store.deeds(DeedQuery(who="ci")),
                    "by words": await store.deeds(DeedQuery(words="SWITCH")),
                    "taken literally": await store.deeds(DeedQuery(words="100 %")),
                    "no pattern": await store.deeds(DeedQuery(words="d%y")),
                    "target": await store.deeds(DeedQuery(words="web.shop")),
                    "both": await store.deeds(DeedQuery(words="switch", stacks=("blog",))),
                }
                assert found == {
                    "all": (three, two, one),
                    "of stacks": (two, one),
                    "by whom": (three, two),
                    "by words": (three, two),
                    "taken literally": (one,),
                    "no pattern": (),
                    "target": (one,),
                    "both": (two,),
                }

        self.run(scenario)
