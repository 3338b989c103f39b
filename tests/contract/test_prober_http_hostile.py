"""The real prober against servers that are broken or mean: it never raises, hangs or swells."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import threading

import pytest

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.health import Outcome, ProbeResult
from bluegreen.drivers.probers.http import HttpProber
from tests.support.mean_servers import CHECK, SHORT, Request, listen, probe, repeating, saying

# -- answers that count ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.1 200\r\n\r\n", 200, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok", 200, "ok"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 301, ""),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\x00bytes", 200, "��\x00bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut sho", 200, "cut sho"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 200, ""),
    ],
)
def test_the_status_decides(answer: bytes, status: int, body: str) -> None:
    result = probe(saying(answer))
    outcome = Outcome.PASS if status < 300 else Outcome.FAIL  # a redirect is not followed, and no answer
    assert (result.outcome, result.status, result.body, result.error) == (outcome, status, body, "")


def test_an_answer_in_single_bytes_is_an_answer() -> None:
    answer = b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nsick"
    result = probe(saying(*(bytes([byte]) for byte in answer)))
    assert (result.outcome, result.status, result.body) == (Outcome.FAIL, 503, "sick")


def test_the_body_is_not_waited_for() -> None:
    result = probe(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst", then_wait=True))
    assert (result.outcome, result.body) == (Outcome.PASS, "first")


def test_a_body_without_end_is_cut() -> None:
    result = probe(repeating(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000))
    assert (result.outcome, result.body) == (Outcome.PASS, "x" * 200)


def test_a_head_request_has_no_body() -> None:
    check = HealthCheck(method="HEAD", path="/")
    result = probe(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), check)
    assert (result.outcome, result.body) == (Outcome.PASS, "")


# -- answers that are none ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 20", "closed the connection in the middle of the answer: 'HTTP/1.1 20'"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "closed the connection in the middle of the answer: "),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "closed the connection in the middle of the answer: "),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answered with something that is not HTTP: 'SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "answered with something that is not HTTP: 'HTTP/1.1 2OO OK"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "answered with something that is not HTTP: "),
        (b"<html>hello</html>\r\n\r\n", "answered with something that is not HTTP: '<html>hello</html>"),
        (b"\x15\x03\x01\x00\x02\x02\x28\r\n\r\n", "answered with something that is not HTTP: '\\x15\\x03"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "answered with something that is not HTTP: "),
    ],
)
def test_what_is_not_an_answer_fails_and_is_shown(answer: bytes, error: str) -> None:
    result = probe(saying(answer))
    assert (result.outcome, result.status) == (Outcome.FAIL, None)
    assert result.error.startswith(error), result.error
    assert result.error.isprintable()


@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 500 + b"\r\n"),
        (b"HTTP/1.1 200 ", b"very " * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nA: ", b"b" * 5000),
    ],
)
def test_a_head_without_end_is_cut(start: bytes, again: bytes) -> None:
    result = probe(repeating(start, again))
    assert result.outcome is Outcome.FAIL
    assert "16 KiB" in result.error


def test_a_slow_drip_is_bounded_by_the_timeout() -> None:
    result = probe(repeating(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", pause=0.01), SHORT)
    assert result.outcome is Outcome.FAIL
    assert result.error.startswith("timed out after 0.2 s in the middle of the answer: 'HTTP/1.1 200 OK")


def test_a_server_that_greets_and_waits_is_known_at_once() -> None:
    result = probe(saying(b"SSH-2.0-OpenSSH_9.2\r\n", then_wait=True))
    assert result.error.startswith("answered with something that is not HTTP: 'SSH-2.0")


def test_a_reset_connection_fails() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    result = probe(reset)
    assert (result.outcome, result.error) == (Outcome.FAIL, "connection reset by peer")


def test_closing_at_once_fails() -> None:
    async def close(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    result = probe(close)
    assert result.outcome is Outcome.FAIL
    assert result.error in ("closed the connection without an answer", "connection reset by peer")


# -- the request -------------------------------------------------------------------------------


def _asked(check: HealthCheck) -> list[str]:
    request = Request()
    assert probe(saying(b"HTTP/1.1 200 OK\r\n\r\n", request=request), check).outcome is Outcome.PASS
    return request.head.split("\r\n")[:-2]


def test_the_request_is_what_the_check_says() -> None:
    check = HealthCheck(
        method="OPTIONS",
        path="/ping?deep=1&name=a b",
        host="shop.example",
        headers=(("X-Probe", "yes"), ("Host", "lost.example"), ("Connection", "keep-alive")),
    )
    lines = _asked(check)
    assert lines[0] == "OPTIONS /ping?deep=1&name=a%20b HTTP/1.1"
    assert "Host: shop.example" in lines
    assert "X-Probe: yes" in lines
    assert "Connection: close" in lines
    assert [line for line in lines if line.lower().startswith(("host", "connection"))] == lines[1:2] + lines[
        -1:
    ]


def test_the_host_is_the_address_unless_a_header_says_otherwise() -> None:
    assert any(line.startswith("Host: 127.0.0.1:") for line in _asked(CHECK))
    assert "host: a.example" in _asked(HealthCheck(headers=(("host", "a.example"),)))


def test_a_post_says_that_it_has_no_body() -> None:
    assert "Content-Length: 0" in _asked(HealthCheck(method="POST"))


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert probe(saying(b"HTTP/1.1 200 OK\r\n\r\n")).outcome is Outcome.PASS


# -- our own faults ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "port", "check"),
    [
        ("no-such-host.invalid", 80, CHECK),
        ("127.0.0.1", 99999, CHECK),
        ("a" * 300, 80, CHECK),
        ("127.0.0.1", 0, HealthCheck(headers=(("X", "a\r\nEvil: 1"),))),
        ("127.0.0.1", 0, HealthCheck(method="GET /\r\n")),
    ],
)
def test_what_cannot_be_asked_says_nothing_of_the_target(host: str, port: int, check: HealthCheck) -> None:
    async def main() -> ProbeResult:
        server = await listen(saying(b"HTTP/1.1 200 OK\r\n\r\n"))
        async with asyncio.timeout(30), server:
            return await HttpProber().probe(host, port or server.sockets[0].getsockname()[1], check)

    result = asyncio.run(main())
    assert result.outcome is Outcome.UNKNOWN
    assert result.error


def test_a_prober_that_was_held_up_says_nothing_of_the_target() -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        threading.Event().wait(0.8)  # the whole loop stands still, as in a process that is stopped

    result = probe(serve, SHORT)
    assert result.outcome is Outcome.UNKNOWN
    assert "held up" in result.error


def test_cancelling_is_not_swallowed() -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            await reader.read()

        async with asyncio.timeout(30), await listen(serve) as server:
            host, port = server.sockets[0].getsockname()
            probing = asyncio.create_task(HttpProber().probe(host, port, CHECK))
            await asked.wait()
            probing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await probing

    asyncio.run(main())


ALONE = """
import asyncio, collections, json
from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.drivers.probers.http import HttpProber

async def main():
    found = collections.Counter()
    for _ in range(200):
        result = await HttpProber().probe("127.0.0.1", 40000, HealthCheck(kind=CheckKind.TCP))
        found[f"{result.outcome} {result.error}"] += 1
    print(json.dumps(found))

asyncio.run(main())
"""


def test_a_connection_to_itself_is_no_connection() -> None:
    few_ports = "ip link set lo up && echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range"
    script = f'{few_ports} && exec "$0" -c "$1"'
    command = ["unshare", "--net", "sh", "-c", script, sys.executable, ALONE]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(output)
    assert set(found) <= {"fail connection refused", "unknown cannot assign requested address"}
    assert found["fail connection refused"]
