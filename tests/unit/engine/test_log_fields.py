"""Whatever is logged while a rollout goes tells of which rollout, service and stack it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from bluegreen.domain.errors import Temporary
from bluegreen.engine.commands import releases
from bluegreen.testing.virtual_time import run
from tests.unit.engine.world import World, bring_up, finished, managed


@pytest.fixture
def said() -> Iterator[LogCapture]:
    """Return what is logged, with the processor that the controller begins with."""
    before, capture = structlog.get_config(), LogCapture()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, capture],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    yield capture
    structlog.configure(**before)


def test_a_line_about_a_rollout_has_its_id(said: LogCapture) -> None:
    async def story() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed())
            rollout = await releases.deploy(engine, "web", image="web:2")
            world.journal.fail("record", Temporary("no answer", code="journal_locked"), nth=3)
            await finished(world, rollout)
        named = {"stack": "shop", "service": "web", "rollout": rollout.id}
        during = [line for line in said.entries if line.get("rollout") == rollout.id]
        assert all(named.items() <= line.items() for line in during)
        assert {"rollout.began", "loop.retry", "rollout.shifted", "rollout.retired"} <= {
            line["event"] for line in during
        }
        assert not structlog.contextvars.get_contextvars()

    run(story())
