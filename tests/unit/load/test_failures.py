"""Every way in which a server can fail a request is seen, told apart, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bluegreen.load import Outcome, Plan, Result
from bluegreen.load.session import LoadSession
from bluegreen.testing.waiting import until

ONLY = {"keepalive": 0, "oneshot": 0, "post": 0, "slow": 0}


def run(serving, handler, requests: int = 6, **settings) -> Result:
    """Run a few requests of one user against ``handler``."""

    async def main() -> Result:
        async with serving(handler) as url:
            plan = Plan(
                url=url, **{**ONLY, "rate": 200, "max_requests": requests, "timeout": 2.0, **settings}
            )
            session = LoadSession(plan)
            await session.start()
            return await session.wait()

    return asyncio.run(main())


async def closes_at_once(peer):
    peer.writer.close()


async def closes_after_request(peer):
    await peer.request()


async def resets(peer):
    await peer.request()
    peer.reset()


async def resets_in_the_body(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await peer.writer.drain()
    peer.reset()


async def half_a_body(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


async def half_a_head(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")


async def half_a_chunk(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


async def says_nothing(peer):
    await peer.request()
    await peer.reader.read()


async def answers_503(peer):
    await peer.request()
    peer.send(b"HTTP/1.0 503 Service Unavailable\r\ncache-control: no-cache\r\n\r\n<h1>503</h1>")


async def answers_404(peer):
    while await peer.request():
        peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


async def redirects(peer):
    while await peer.request():
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


async def answers_another_request(peer):
    while await peer.request():
        peer.ok(extra="X-Request-Id: somebody-else\r\n")


async def too_long_a_body(peer):
    while await peer.request():
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more")


async def speaks_something_else(peer):
    await peer.request()
    peer.send(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")


async def two_lengths(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!")


async def length_and_chunks(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok")


async def bare_line_feeds(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok")


async def bad_chunk_size(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n")


async def chunk_longer_than_said(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n")


async def an_endless_head(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: 0123456789\r\n" * 10_000)


FAILURES: list[tuple[Callable, Outcome]] = [
    (closes_after_request, Outcome.CLOSED_BEFORE_RESPONSE),
    (resets, Outcome.RESET),
    (resets_in_the_body, Outcome.RESET),
    (half_a_body, Outcome.TRUNCATED),
    (half_a_head, Outcome.TRUNCATED),
    (half_a_chunk, Outcome.TRUNCATED),
    (says_nothing, Outcome.TIMEOUT),
    (answers_503, Outcome.BAD_STATUS_5XX),
    (answers_404, Outcome.BAD_STATUS_OTHER),
    (redirects, Outcome.BAD_STATUS_OTHER),
    (answers_another_request, Outcome.WRONG_BODY),
    (too_long_a_body, Outcome.MALFORMED),
    (speaks_something_else, Outcome.MALFORMED),
    (two_lengths, Outcome.MALFORMED),
    (length_and_chunks, Outcome.MALFORMED),
    (bare_line_feeds, Outcome.MALFORMED),
    (bad_chunk_size, Outcome.MALFORMED),
    (chunk_longer_than_said, Outcome.MALFORMED),
    (an_endless_head, Outcome.MALFORMED),
]


@pytest.mark.parametrize("kind", ["keepalive", "oneshot", "post", "slow"])
@pytest.mark.parametrize(("handler", "outcome"), FAILURES, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_is_counted_under_its_name(serving, handler, outcome, kind):
    late = outcome is Outcome.TIMEOUT
    requests, patience = (1, 0.2) if late else (4, 10.0)  # who waits for nothing is not to be hurried
    result = run(serving, handler, requests, **{kind: 1}, slow_timeout=patience, timeout=patience)
    assert result.failures_by_class == {outcome: requests}
    assert result.classes[kind].failures == {outcome: requests}
    assert result.failed == result.requests == requests
    assert len(result.first_failures) == requests
    assert all(failure.detail for failure in result.first_failures)
    assert result.versions == {}


def test_a_connection_closed_at_once_is_a_failure(serving):
    """Whether the kernel reports FIN or RST depends on whether our bytes came first; it is never fine."""
    result = run(serving, closes_at_once, 6, keepalive=1)
    assert result.failed == result.requests == 6
    assert set(result.failures_by_class) <= {Outcome.CLOSED_BEFORE_RESPONSE, Outcome.RESET}


def test_nobody_listening_is_refused(unused_url):
    async def main() -> Result:
        session = LoadSession(Plan(url=unused_url, **{**ONLY, "oneshot": 2}, rate=200, max_requests=10))
        await session.start()
        return await session.wait()

    result = asyncio.run(main())
    assert result.failures_by_class == {Outcome.REFUSED: 10}


def test_a_changed_post_body_is_wrong(serving):
    async def changes_one_byte(peer):
        while found := await peer.request():
            peer.ok(found[1][:-1] + b"X")

    result = run(serving, changes_one_byte, 6, post=2)
    assert result.failures_by_class == {Outcome.WRONG_BODY: 6}


def test_a_get_body_without_the_expected_text_is_wrong(serving):
    result = run(serving, lambda peer: peer.serve(), 6, keepalive=1, expect="something else")
    assert result.failures_by_class == {Outcome.WRONG_BODY: 6}


def test_a_503_names_the_version_that_gave_it_and_quotes_it(serving):
    async def sick(peer):
        while await peer.request():
            peer.send(b"HTTP/1.1 503 No\r\nX-Version: 7\r\nContent-Length: 4\r\n\r\ndown")

    result = run(serving, sick, 1, keepalive=1)
    (failure,) = result.first_failures
    assert (failure.kind, failure.version, failure.detail) == ("keepalive", "7", "status 503: b'down'")


def test_closing_an_idle_connection_is_legal(serving):
    async def one_answer_then_close(peer):
        await peer.request()
        peer.ok()

    result = run(serving, one_answer_then_close, 6, keepalive=1, rate=20)
    assert result.failed == 0
    assert result.idle_closed == 5


@pytest.mark.parametrize(
    ("unasked", "failures"),
    [
        (b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", {}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsurprise", {Outcome.MALFORMED: 2}),
    ],
    ids=["a 408 announces a legal close", "another answer is malformed"],
)
def test_bytes_on_an_idle_connection(serving, unasked, failures):
    sessions: list[LoadSession] = []

    async def handler(peer):
        await peer.request()
        received = sessions[0].progress().requests
        peer.ok()
        # Only when the client has taken the answer is the connection idle.
        await until(lambda: sessions[0].progress().requests > received)
        peer.send(unasked)
        await peer.reader.read()

    async def main() -> Result:
        async with serving(handler) as url:
            sessions.append(LoadSession(Plan(url=url, **{**ONLY, "keepalive": 1}, rate=4, max_requests=4)))
            await sessions[0].start()
            return await sessions[0].wait()

    result = asyncio.run(main())
    assert result.failures_by_class == failures
    assert result.idle_closed == (0 if failures else 3)


def test_a_reused_connection_closed_after_the_request_is_told_apart(serving):
    async def closes_on_the_second_request(peer):
        await peer.request()
        peer.ok()
        await peer.request()

    result = run(serving, closes_on_the_second_request, 6, keepalive=1)
    assert result.failures_by_class == {Outcome.CLOSED_AFTER_SEND: 3}
    assert result.idle_closed == 0


def test_connection_close_in_an_answer_is_obeyed(serving):
    seen = []

    async def asks_to_close(peer):
        while await peer.request():
            seen.append(peer.number)
            peer.ok(extra="Connection: close\r\n")
            await peer.writer.drain()

    result = run(serving, asks_to_close, 5, keepalive=1)
    assert result.failed == 0
    assert seen == [1, 2, 3, 4, 5]
    assert result.idle_closed == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Version: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2;x=y\r\nok\r\n0\r\nTrailer: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX-Version: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\nX-Version: 1\r\n\r\n",
        b"HTTP/1.1 200\r\nX-Version: 1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["chunked with trailer", "1xx first", "204", "no reason, same length twice"],
)
def test_unusual_but_right_answers_pass(serving, answer):
    async def handler(peer):
        while await peer.request():
            peer.send(answer)

    result = run(serving, handler, 4, keepalive=1)
    assert (result.failed, result.versions) == (0, {"1": 4})


def test_an_answer_in_single_bytes_passes(serving):
    async def dribbles(peer):
        while await peer.request():
            for byte in b"HTTP/1.1 200 OK\r\nX-Version: 1\r\nContent-Length: 2\r\n\r\nok":
                peer.send(bytes([byte]))
                await peer.writer.drain()
                await asyncio.sleep(0)

    result = run(serving, dribbles, 3, keepalive=1)
    assert result.failed == 0


def test_a_body_that_ends_with_the_connection_passes_for_new_connections(serving):
    async def by_close(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nX-Version: 1\r\nConnection: close\r\n\r\nbody")

    result = run(serving, by_close, 4, oneshot=1)
    assert (result.failed, result.versions) == (0, {"1": 4})


def test_one_bad_answer_among_many_good_ones_is_found(serving):
    served = 0

    async def one_in_forty(peer):
        nonlocal served
        while await peer.request():
            served += 1
            if served == 23:
                return
            peer.ok()

    result = run(serving, one_in_forty, 40, keepalive=4, rate=800)
    assert (result.requests, result.failed) == (40, 1)


def test_a_server_that_comes_back_is_used_again(serving):
    healthy = False

    async def recovers(peer):
        if healthy:
            await peer.serve()
        else:
            peer.reset()

    async def main() -> Result:
        nonlocal healthy
        async with serving(recovers) as url:
            session = LoadSession(
                Plan(url=url, rate=200, duration=30, **{**ONLY, "keepalive": 4, "oneshot": 2})
            )
            await session.start()
            await until(lambda: session.progress().failed >= 10)
            healthy = True
            await until(lambda: session.progress().versions.get("1", 0) >= 20)
            return await session.stop()

    result = asyncio.run(main())
    assert result.failed >= 10
    assert result.versions["1"] >= 20
