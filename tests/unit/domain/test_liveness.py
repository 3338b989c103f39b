"""When the agent restarts what hangs, and above all when it does not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.agent import COMPAT_CHECK, Agent
from bluegreen.domain.check import CheckKind, HealthCheck, signs_of_life
from bluegreen.domain.liveness import Hold, Life, Recycle, Wait, judge, within

NOW = 1000.0
AGENT = Agent(budget=3, window=100.0)
WELL = Life(name="well")
HUNG = Life(name="hung", hung=True, serves=False, since=NOW - 9)
ABSENT = Life(name="absent", running=False, serves=False)
COMING = Life(name="coming", serves=False)
GOING = Life(name="going", running=False, serves=False, claimed=True, restarting=True)
DOUBTED = Life(name="doubted", doubted=True)


@pytest.mark.parametrize(
    ("lives", "recycled", "ruling"),
    [
        ([WELL], (), None),
        ([WELL, COMING, ABSENT], (), None),
        ([WELL, HUNG], (), "hung"),
        # the balancer still gives it requests; another one serves them as well
        ([WELL, replace(HUNG, serves=True)], (), "hung"),
        # one that serves nobody goes before one that still does, then the one that hangs longest
        ([WELL, replace(HUNG, name="b", serves=True, since=0.0), HUNG], (), "hung"),
        ([WELL, replace(HUNG, name="b", since=NOW - 50), HUNG], (), "b"),
        # all at once: a shared cause, and restarting heals nothing
        ([HUNG, replace(HUNG, name="b")], (), "none_serves"),
        # the other one does not hang, but it does not serve either
        ([HUNG, COMING], (), "none_serves"),
        ([replace(HUNG, serves=True), COMING], (), "last_that_serves"),
        # alone: only where it serves nobody
        ([HUNG], (), "hung"),
        ([HUNG, ABSENT], (), "hung"),
        ([replace(HUNG, serves=True)], (), "last_that_serves"),
        # somebody deals with it already
        ([WELL, replace(HUNG, claimed=True)], (), None),
        # one at a time: what all have in common is seen of one of them first
        ([WELL, GOING, HUNG], (), "wait"),
        ([GOING, HUNG], (), "wait"),
        ([replace(GOING, name="a"), GOING, HUNG], (), "wait"),
        ([DOUBTED, HUNG], (), "wait"),
        ([DOUBTED, HUNG, replace(HUNG, name="b")], (), "wait"),
        ([DOUBTED, WELL, HUNG], (), "hung"),
        ([replace(DOUBTED, serves=False), HUNG], (), "none_serves"),
        # the budget: three in a hundred seconds
        ([WELL, HUNG], (NOW - 101, NOW - 99, NOW - 1), "hung"),
        ([WELL, HUNG], (NOW - 99, NOW - 50, NOW - 1), "circuit_open"),
    ],
)
def test_rulings(lives: list[Life], recycled: tuple[float, ...], ruling: str | None) -> None:
    said: str | None = None
    match judge(lives, AGENT, recycled, NOW):
        case Recycle(name=name):
            said = name
        case Hold(code=code):
            said = code
        case Wait():
            said = "wait"
    assert said == ruling


def test_what_is_held_says_why_what_to_do_and_when_it_may_change() -> None:
    held = judge([WELL, HUNG], AGENT, (NOW - 40, NOW - 30, NOW - 20), NOW)
    assert isinstance(held, Hold)
    assert "hung hangs, but 3 restarts in 100 s are enough" in held.why
    assert "rollback" in held.hint
    assert held.seconds == 60


def test_only_restarts_within_the_window_count() -> None:
    assert within((NOW - 100, NOW - 99.9, NOW), AGENT, NOW) == (NOW - 99.9, NOW)


def test_a_sign_of_life_is_any_answer() -> None:
    asked = signs_of_life(
        HealthCheck(method="OPTIONS", path="/ping", body="ok", interval=1, timeout=1, fall=2)
    )
    assert (asked.method, asked.path, asked.body) == ("OPTIONS", "/ping", None)
    assert all(asked.accepts(status) for status in (200, 404, 500, 503))
    assert (asked.interval, asked.timeout, asked.fall) == (10.0, 3.0, 3)
    assert signs_of_life(HealthCheck(kind=CheckKind.EXEC, command=("x",))).kind is CheckKind.TCP


def test_the_original_agent_is_what_it_was() -> None:
    accepted = [status for status in range(100, 600) if COMPAT_CHECK.accepts(status)]
    assert accepted == [*range(200, 210), *range(300, 310)]
    assert (COMPAT_CHECK.method, COMPAT_CHECK.path) == ("HEAD", "/ping")
    assert (COMPAT_CHECK.interval, COMPAT_CHECK.timeout, COMPAT_CHECK.connect_timeout) == (10, 3, 3)
    assert (COMPAT_CHECK.fall, COMPAT_CHECK.start_period) == (1, 10)


# -- never zero by our own hand, whatever the verdicts ---------------------------------------------


@dataclass
class Service:
    """A color of three instances: verdicts come as they like, rulings are carried out."""

    lives: dict[str, Life] = field(
        default_factory=lambda: {name: Life(name=name) for name in ("one", "two", "three")}
    )
    recycled: tuple[float, ...] = ()
    now: float = NOW

    def rule(self) -> None:
        before = [life for life in self.lives.values() if life.serves and not life.hung]
        ruling = judge(list(self.lives.values()), AGENT, self.recycled, self.now)
        if not isinstance(ruling, Recycle):
            return
        ended = self.lives[ruling.name]
        assert ended.hung, "only what hangs is restarted"
        assert not ended.claimed, "and once at a time"
        others = [life for life in before if life.name != ruling.name]
        assert others or not ended.serves, "the last one that serves is left alone"
        assert not any(life.restarting for life in self.lives.values()), "one after the other"
        self.recycled = (*within(self.recycled, AGENT, self.now), self.now)
        assert len(self.recycled) <= AGENT.budget
        self.lives[ruling.name] = replace(ended, running=False, serves=False, claimed=True, restarting=True)
        after = [life for life in self.lives.values() if life.serves and not life.hung]
        assert after in (others, before)


moves = st.tuples(
    st.sampled_from(["hang", "doubt", "recover", "down", "up", "return"]),
    st.sampled_from(["one", "two", "three"]),
    st.floats(0, 60),
)


@given(st.lists(moves, max_size=40))
def test_no_sequence_of_verdicts_makes_us_stop_the_last_that_serves(
    steps: list[tuple[str, str, float]],
) -> None:
    service = Service()
    changes = {
        "hang": {"hung": True},
        "doubt": {"doubted": True},
        "recover": {"hung": False, "doubted": False},
        "down": {"serves": False},
        "up": {"serves": True},
        "return": {"running": True, "hung": False, "serves": True, "claimed": False, "restarting": False},
    }
    for move, name, seconds in steps:
        service.now += seconds
        life = service.lives[name]
        if life.running or move == "return":
            service.lives[name] = replace(life, **changes[move])
        service.rule()
