"""A stack's definition follows what succeeded, and leaves alone what a person changed meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain import targets
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Happened, Kind, Rollout
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec


@pytest.mark.parametrize(
    ("happened", "defined", "then"),
    [
        (Happened.SETTLED, "old", "new"),
        (Happened.CLEANED, "new", "old"),
        (Happened.REVERTED, "new", "old"),
        (Happened.SETTLED, "changed by hand", "changed by hand"),
        (Happened.CLEANED, "changed by hand", "changed by hand"),
        (Happened.PREPARED, "old", "old"),
    ],
)
def test_the_definition_follows_the_success_of_a_release(happened: Happened, defined: str, then: str) -> None:
    old, new = ServiceSpec(name="web", image="app:old"), ServiceSpec(name="web", image="app:new")
    stack = StackSpec(name="shop", services=(replace(old, image=f"app:{defined}"),))
    rollout = Rollout(
        id="1",
        kind=Kind.DEPLOY,
        stack="shop",
        service="web",
        target=PoolId("shop.web.blue"),
        spec=new,
        former=old,
    )
    after = targets.after(stack, rollout, happened) or stack
    assert after.services[0].image == f"app:{then}"
