"""What was seen of a container is believed only while events prove it."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.drivers.runtimes.docker.looks import Look
from bluegreen.drivers.runtimes.docker.sightings import Sightings

WEB = Instance(
    name="shop-web-r1-1",
    stack="shop",
    service="web",
    release=1,
    index=1,
    color=None,
    config_hash="abc",
    state=InstanceState.RUNNING,
)


RUNNING: Look = ("running", WEB.name, "", frozenset({("bluegreen_shop", "10.0.0.2")}))
EXITED: Look = ("exited", WEB.name, "", frozenset({("bluegreen_shop", "")}))


def see(sightings: Sightings, container: str = "c1") -> None:
    sightings.keep(container, sightings.asking(container), RUNNING, WEB)


def test_without_an_event_stream_nothing_is_believed() -> None:
    sightings = Sightings()
    see(sightings)
    with sightings.connected(), sightings.caught_up():
        assert sightings.recall("c1", RUNNING) is None


def test_with_a_reader_that_waits_it_is_believed_of_that_look_only() -> None:
    sightings = Sightings()
    with sightings.connected():
        see(sightings)
        assert sightings.recall("c1", RUNNING) is None, "the reader has events before it"
        with sightings.caught_up():
            assert sightings.recall("c1", RUNNING) == WEB
            assert sightings.recall("c1", EXITED) is None
            assert sightings.recall("c2", RUNNING) is None


def test_an_event_during_the_inspection_makes_it_worthless() -> None:
    sightings = Sightings()
    with sightings.connected(), sightings.caught_up():
        token = sightings.asking("c1")
        sightings.doubt("c1")
        sightings.keep("c1", token, RUNNING, WEB)
        assert sightings.recall("c1", RUNNING) is None


def test_of_two_inspections_only_the_later_one_counts() -> None:
    sightings = Sightings()
    with sightings.connected(), sightings.caught_up():
        earlier = sightings.asking("c1")
        sightings.doubt("c1")
        later = sightings.asking("c1")
        sightings.keep("c1", earlier, RUNNING, WEB)
        assert sightings.recall("c1", RUNNING) is None
        sightings.keep("c1", later, RUNNING, WEB)
        assert sightings.recall("c1", RUNNING) == WEB


def test_a_lost_stream_ends_all_belief() -> None:
    sightings = Sightings()
    with sightings.connected():
        see(sightings)
    with sightings.connected(), sightings.caught_up():
        assert sightings.recall("c1", RUNNING) is None


def test_the_owner_is_known_until_the_container_is_forgotten() -> None:
    sightings = Sightings()
    see(sightings)
    assert sightings.owners["c1"] == ("shop", "web", "shop-web-r1-1")
    sightings.doubt("c1")
    assert "c1" in sightings.owners
    sightings.forget("c1")
    assert "c1" not in sightings.owners


def test_what_a_full_list_does_not_hold_is_forgotten() -> None:
    sightings = Sightings()
    see(sightings)
    sightings.retain(["c1"])
    assert "c1" in sightings.owners
    sightings.retain(["c2"])
    assert "c1" not in sightings.owners


def test_the_oldest_inspections_come_first_and_a_new_one_goes_to_the_end() -> None:
    sightings = Sightings()
    with sightings.connected():
        for container in ("c1", "c2", "c3"):
            see(sightings, container)
        see(sightings, "c1")
        assert sightings.oldest(2) == ("c2", "c3")


def test_the_code_of_the_last_end_is_known_of_what_runs_again() -> None:
    sightings = Sightings()
    again = replace(WEB, restarts=2)
    assert sightings.with_last_end("c1", again).exit_code is None
    sightings.ended("c1", 3)
    sightings.ended("c1", None)
    assert sightings.with_last_end("c1", again).exit_code == 3
    assert sightings.with_last_end("c1", WEB) == WEB, "started anew: it never ended"
    assert sightings.with_last_end("c1", replace(again, exit_code=7)).exit_code == 7
    sightings.forget("c1")
    assert sightings.with_last_end("c1", again).exit_code is None
