"""The parts of the soak that decide what happens and what is blamed for what."""

from __future__ import annotations

from itertools import islice

import pytest
from bench.rotation import names_in
from bench.soak import page
from bench.soak.faults import CALM, KINDS, REPLICAS, kinds, schedule
from bench.soak.figures import NONE, Happening, Lost, culprit, lines, median_and_worst, total
from bench.soak.run import Soaked

KILL = Happening(kind="kill", victim="w-1", began=10.0, out=10.1, healed=12.0)
PAUSE = Happening(kind="pause", victim="w-2", began=14.0, out=14.5, back=18.0, healed=19.0)


def lost(began: float, ended: float, user: str = "keepalive", outcome: str = "reset") -> Lost:
    return Lost(user=user, outcome=outcome, began=began, ended=ended)


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_every_kind_happens_once_before_any_happens_again(runtime: str) -> None:
    known = kinds(runtime)
    faults = list(islice(schedule(1, runtime), 3 * len(known)))
    for turn in range(3):
        seen = [fault.kind for fault in faults[turn * len(known) : (turn + 1) * len(known)]]
        assert sorted(kind.name for kind in seen) == sorted(kind.name for kind in known)
    assert {fault.victim for fault in faults} == set(range(REPLICAS))
    assert all(CALM[0] <= fault.calm <= CALM[1] for fault in faults)


def test_the_seed_alone_gives_the_order() -> None:
    orders = [tuple(islice(schedule(seed, "docker"), 40)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_a_runtime_meets_what_it_knows_and_only_what_is_asked_for() -> None:
    assert "pause" not in {kind.name for kind in kinds("process")}
    assert {kind.name for kind in kinds("docker")} == {kind.name for kind in KINDS}
    assert {fault.kind.name for fault in islice(schedule(1, "docker", frozenset({"kill"})), 5)} == {"kill"}


@pytest.mark.parametrize(
    ("request_", "blamed"),
    [
        (lost(9.5, 10.2), KILL),  # in flight when it began
        (lost(10.5, 10.6), KILL),
        (lost(12.1, 12.2), KILL),  # an answer may be on its way for a moment
        (lost(11.0, 15.0), KILL),  # stuck since then, given up during the next
        (lost(12.5, 14.2), PAUSE),
        (lost(12.1, 14.2), PAUSE),  # rather the one that went on than the one that had healed
        (lost(12.5, 13.5), None),
        (lost(1.0, 2.0), None),
        (lost(25.0, 26.0), None),
    ],
)
def test_what_was_going_on_is_blamed(request_: Lost, blamed: Happening | None) -> None:
    assert culprit((KILL, PAUSE), request_) is blamed


def test_what_never_healed_is_blamed_for_all_that_follows() -> None:
    forever = Happening(kind="hang", victim="w-1", began=10.0)
    assert culprit((forever,), lost(99.0, 100.0)) is forever


def test_a_line_counts_by_users_and_knows_its_times() -> None:
    losses = [lost(10.2, 10.3, "post"), lost(10.2, 10.3), lost(10.2, 10.3, "slow"), lost(30.0, 31.0)]
    kill, pause, rest = lines(["kill", "pause"], [KILL, PAUSE], losses)

    assert (kill.times, dict(kill.idempotent), kill.posts) == (1, {"keepalive": 1, "slow": 1}, 1)
    assert dict(kill.outcomes) == {"keepalive reset": 1, "post reset": 1, "slow reset": 1}
    assert (pause.times, pause.lost) == (1, 0)
    assert pause.out == pytest.approx((0.5,))
    assert pause.heal == (1.0,)  # from when the injector took it back
    assert (rest.kind, rest.times, rest.lost) == (NONE, 0, 1)
    everything = total([kill, pause, rest])
    assert (everything.times, everything.lost, len(everything.out)) == (2, 4, 2)


def test_times_are_shown_as_median_and_worst() -> None:
    assert median_and_worst(()) == "–"
    assert median_and_worst((3.0, 1.0, 12.34)) == "3.00 s / 12.3 s"


def soaked(*losses: Lost, kind: str = "kill") -> Soaked:
    happened = Happening(kind=kind, victim="w-1", began=10.0, out=10.1, healed=12.0)
    return Soaked(runtime="docker", seconds=60.0, happenings=[happened], losses=list(losses))


@pytest.mark.parametrize(
    ("kind", "users", "wrong"),
    [
        ("kill", [], 0),
        ("kill", ["post"], 0),
        ("kill", ["post", "slow"], 1),
        ("deploy", ["post"], 1),
        ("fail", ["post", "keepalive"], 0),
    ],
)
def test_only_what_its_fault_explains_may_be_lost(kind: str, users: list[str], wrong: int) -> None:
    found = page.complaints(soaked(*(lost(11.0, 11.1, user) for user in users), kind=kind))
    assert len(found) == wrong, found


def test_a_loss_while_nothing_was_wrong_is_always_told() -> None:
    (complaint,) = page.complaints(soaked(lost(30.0, 31.0, "post")))
    assert NONE in complaint


def test_the_page_and_the_text_show_every_line() -> None:
    run = soaked(lost(11.0, 11.1, "post", "bad_status_5xx"))
    run.complaints.append("deploy of 0.0.2: refused")
    shown = page.markdown([run], 7, {"cores": "2"}, "2026-11-25", "Other work ran too.")
    assert "| kill | 1 | 0 | 1 | 0.10 s / 0.10 s | 2.00 s / 2.00 s |" in shown
    assert "- kill: 1 × post bad_status_5xx: " in shown
    assert "soak --seconds 60 --seed 7" in shown
    assert "2026-11-25. Other work ran too. To repeat it" in shown.replace("\n", " ")
    assert "deploy of 0.0.2: refused" in shown
    assert all(f"| {kind.name} | {kind.what} |" in shown for kind in KINDS)
    told = page.text([run], 7, {"cores": "2"})
    assert "0.10 s / 0.10 s" in told
    assert "WRONG: deploy of 0.0.2: refused" in told


def test_who_is_in_rotation_is_read_from_the_balancers_own_table() -> None:
    def row(name: str, status: str) -> str:
        return f"shop.web.blue,{name},{',' * 15}{status},100"

    rows = [
        "# pxname,svname,qcur",
        row("w-1", "UP"),
        row("w-1:last", "no check"),
        row("w-2:2", "UP 1/2"),
        row("w-3", "DOWN"),
        row("w-3:last", "no check"),
        row("w-4", "DRAIN"),
        row("w-5", "no check"),
    ]
    assert names_in("\n".join(rows)) == {"w-1", "w-2", "w-5"}
