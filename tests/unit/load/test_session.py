"""Pace, bounds, stopping and cleaning up, against a well-behaved server."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen.load import LoadError, LoadProcess, LoadSession, Plan
from bluegreen.load.__main__ import main as command
from bluegreen.load.plan import resolve
from bluegreen.testing.waiting import until

SMALL = {"keepalive": 2, "oneshot": 2, "post": 2, "slow": 1, "rate": 300.0, "slow_path": "/"}


def test_mixed_load_over_a_switch(serving):
    version = "1"

    async def main():
        nonlocal version
        async with serving(lambda peer: peer.serve(lambda: version)) as url:
            session = LoadSession(Plan(url=url, duration=30, **SMALL))
            await session.start()
            await until(lambda: session.progress().versions.get("1", 0) >= 50)
            session.mark("switch")
            version = "2"
            await until(lambda: session.progress().versions.get("2", 0) >= 50)
            return session, await session.stop()

    session, result = asyncio.run(main())
    assert result.failed == 0, result.first_failures
    assert set(result.classes) == {"keepalive", "oneshot", "post", "slow"}
    assert result.requests == len(session.samples) == sum(result.versions.values())
    (seen,) = result.switches
    assert (seen.old, seen.new, seen.stale, seen.failed) == ("1", "2", 0, 0)


def test_the_run_ends_by_itself_at_its_bounds(serving):
    async def main():
        async with serving(lambda peer: peer.serve()) as url:
            by_count = LoadSession(Plan(url=url, duration=60, max_requests=25, **SMALL))
            await by_count.start()
            by_time = LoadSession(Plan(url=url, duration=0.3, **SMALL))
            await by_time.start()
            return await by_count.wait(), await by_time.wait()

    by_count, by_time = asyncio.run(main())
    assert by_count.requests == 25
    # The timetable allows 90 fast requests in 0.3 s and as many more as there are users.
    assert 0 < by_time.requests <= 90 + 7 + 4


def test_stopping_awaits_what_is_in_flight(serving):
    arrived, release = asyncio.Event(), asyncio.Event()

    async def holds(peer):
        await peer.request()
        arrived.set()
        await release.wait()
        peer.ok()

    async def main():
        async with serving(holds) as url:
            session = LoadSession(Plan(url=url, keepalive=0, oneshot=0, post=0, slow=1))
            await session.start()
            await arrived.wait()
            stopping = asyncio.create_task(session.stop())
            await asyncio.sleep(0)
            assert not stopping.done()
            release.set()
            return await stopping

    result = asyncio.run(main())
    assert (result.requests, result.failed) == (1, 0)


def test_cancelling_leaves_no_socket_open(serving):
    """Unclosed sockets are ResourceWarnings, which are errors in this suite; the server sees the ends too."""
    open_now: set[int] = set()

    async def never_answers(peer):
        open_now.add(peer.number)
        await peer.reader.read()
        await peer.reader.read()
        while await peer.reader.read():
            pass
        open_now.discard(peer.number)

    async def main():
        async with serving(never_answers) as url:
            session = LoadSession(Plan(url=url, **SMALL))
            await session.start()
            waiting = asyncio.create_task(session.wait())
            await until(lambda: len(open_now) == 7)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await until(lambda: not open_now)

    asyncio.run(main())


def test_a_stalled_server_shows_as_skipped_requests_and_a_gap(serving):
    stalled, resumed = asyncio.Event(), asyncio.Event()

    async def stalls(peer):
        while found := await peer.request():
            if stalled.is_set():
                await resumed.wait()
            peer.ok(found[1] or b"ok")

    async def main():
        async with serving(stalls) as url:
            session = LoadSession(Plan(url=url, keepalive=2, oneshot=0, post=0, slow=0, rate=200))
            await session.start()
            await until(lambda: session.progress().requests >= 10)
            stalled.set()
            before = session.progress().requests
            asyncio.get_running_loop().call_later(0.3, resumed.set)
            await until(lambda: session.progress().requests >= before + 20)
            return await session.stop()

    result = asyncio.run(main())
    assert result.failed == 0
    assert result.skipped >= 20
    assert result.longest_gap_ms >= 200


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://8.8.8.8", "neither a loopback nor a private"),
        ("https://127.0.0.1", "must look like"),
        ("127.0.0.1:80", "must look like"),
        ("http://127.0.0.1:99999", "is not a URL"),
        ("http://no-such-host.invalid", "cannot resolve"),
    ],
)
def test_other_targets_are_refused(url, says):
    with pytest.raises(LoadError, match=says):
        resolve(Plan(url=url))


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": 0},
        {"rate": float("nan")},
        {"duration": -1},
        {"keepalive": 0, "oneshot": 0, "post": 0, "slow": 0},
        {"slow": -1},
        {"path": "/\r\nX: y"},
        {"host": "a b"},
    ],
)
def test_senseless_plans_are_refused(settings):
    with pytest.raises(LoadError):
        LoadSession(Plan(url="http://127.0.0.1:1", **settings))


def test_the_host_header_is_that_of_the_plan():
    assert resolve(Plan(url="http://127.0.0.1:81")).host == "127.0.0.1:81"
    assert resolve(Plan(url="http://127.0.0.1:81", host="shop.test")).host == "shop.test"


def test_a_load_process_is_controlled_from_outside(serving):
    version = "1"

    async def main():
        nonlocal version
        async with serving(lambda peer: peer.serve(lambda: version)) as url:
            async with await LoadProcess.start(Plan(url=url, duration=60, **SMALL)) as load:
                await _seen(load, "1")
                await load.mark("switch")
                version = "2"
                await _seen(load, "2")
                result = await load.stop()
            return result, load

    result, load = asyncio.run(main())
    assert result.failed == 0, result.first_failures
    assert (result.switches[0].old, result.switches[0].new, result.switches[0].stale) == ("1", "2", 0)
    assert load._process.returncode is not None


def test_a_cancelled_question_does_not_confuse_the_next_one(serving):
    async def main():
        async with (
            serving(lambda peer: peer.serve()) as url,
            await LoadProcess.start(Plan(url=url, duration=60, **SMALL)) as load,
        ):
            asked = asyncio.create_task(load.progress())
            await asyncio.sleep(0)
            asked.cancel()
            await load.mark("note")
            return await load.stop()

    assert [seen.name for seen in asyncio.run(main()).switches] == ["note"]


def test_a_killed_load_process_is_an_error_not_a_success(serving):
    async def main():
        async with (
            serving(lambda peer: peer.serve()) as url,
            await LoadProcess.start(Plan(url=url, duration=60, **SMALL)) as load,
        ):
            load._process.kill()
            with pytest.raises(LoadError, match="has ended"):
                await load.stop()

    asyncio.run(main())


def test_a_refused_plan_starts_no_process():
    with pytest.raises(LoadError, match="private"):
        asyncio.run(LoadProcess.start(Plan(url="http://8.8.8.8")))


def test_the_command_tells_failures_by_its_exit_code(unused_url, capsys):
    few = ["--url", unused_url, "--duration", "0.2", "--rate", "50"]
    assert command(few) == 1
    assert "refused" in capsys.readouterr().out
    assert command([*few, "--json"]) == 1
    assert '"failures_by_class": {"refused"' in capsys.readouterr().out
    assert command(["--url", "http://8.8.8.8"]) == 2
    assert "private" in capsys.readouterr().err


async def _seen(load: LoadProcess, version: str, count: int = 30) -> None:
    async def enough() -> bool:
        return (await load.progress()).versions.get(version, 0) >= count

    await until(enough)
