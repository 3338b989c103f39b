"""Every call to the world is spoiled once: by the controller's death, or by an error.

Each story is first told undisturbed, which counts its calls; then once more for each call. Whatever
happens, the live route is never without a healthy pool, and the story comes to an end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Permanent, Temporary
from bluegreen.testing.fake_journal import Crash
from bluegreen.testing.virtual_time import run
from tests.unit.engine.stories import STORIES, Story, Telling, tell
from tests.unit.engine.tripwire import Tripwire


def _calls(story: Story) -> list[str]:
    wire = Tripwire()
    told = run(tell(story, wire))
    _check(story, told, "undisturbed")
    assert told.world.serves(story.route) == story.after
    return wire.log


def _check(story: Story, told: Telling, how: str) -> None:
    assert not told.world.watchman.gaps, (how, told.world.watchman.gaps[:3])
    assert told.rollout is not None, how
    assert told.rollout.final, how
    assert told.world.serves(story.route) in (story.before, story.after, story.halfway), how
    assert sum(told.world.weights(story.route).values()) == 100, how


READS = (".observe", ".list", ".releases", ".rollouts", ".load")


def _deaths(calls: list[str]) -> Iterator[tuple[int, str, bool]]:
    """Yield where a controller may die. After a read is the same as before what follows it."""
    for number, call in enumerate(calls, 1):
        if not call.endswith(".probe"):
            yield number, call, False
            if not call.endswith(READS):
                yield number, call, True


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.name)
def test_a_crash_at_any_call_loses_nothing(story: Story) -> None:
    calls = _calls(story)
    for number, call, after in _deaths(calls):
        how = f"crash {'after' if after else 'before'} call {number} of {len(calls)}, {call}"
        told = run(tell(story, Tripwire(number, Crash(how), after=after)))
        assert told.crashed or number == len(calls), how
        _check(story, told, how)


def _errors(call: str) -> Iterator[tuple[BluegreenError, bool]]:
    if call.endswith(".probe"):
        return  # a prober never raises
    yield Temporary("not now", code="spoiled"), False
    yield Permanent("never", code="spoiled"), False
    if not call.endswith(READS):
        yield Temporary("not now", code="spoiled"), True
        yield OutcomeUnknown("who knows", code="spoiled"), True


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.name)
def test_an_error_at_any_call_strands_no_traffic(story: Story) -> None:
    calls = _calls(story)
    for number, call in enumerate(calls, 1):
        for spoil, after in _errors(call):
            how = f"{spoil.group} {'after' if after else 'before'} call {number} of {len(calls)}, {call}"
            told = run(tell(story, Tripwire(number, spoil, after=after)))
            _check(story, told, how)
            if told.begun and not isinstance(spoil, Permanent):
                assert told.world.serves(story.route) == story.after, how
