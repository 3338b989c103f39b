"""The sample application breaks as it is told, while it runs, and holds connections that do not end."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import closing
from http.client import HTTPConnection

import pytest

from bluegreen.sample.streams import accept
from tests.support.ports import free_port
from tests.support.sample_app import Sample, Start
from tests.support.waiting import until

UPGRADE = b"GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def told(sample: Sample, wish: str) -> None:
    assert sample.request("POST", f"/control?do={wish}")[0] == 200


def asked(sample: Sample, path: str) -> HTTPConnection:
    """Send a request whose answer is read later; it is in the server's hands when this returns."""
    connection = sample.connect()
    connection.request("GET", path)
    assert sample.request("POST", "/control?do=nothing")[0] == 400
    return connection


@pytest.mark.parametrize(("wish", "paths"), [("hang", ("/ping", "/version")), ("hang-ping", ("/ping",))])
def test_what_hangs_is_answered_once_it_is_healed(start: Start, wish: str, paths: tuple[str, ...]) -> None:
    sample = start()
    told(sample, wish)
    waiting = [asked(sample, path) for path in paths]
    if wish == "hang-ping":
        assert sample.request("GET", "/version")[0] == 200
    told(sample, "heal")
    for connection in waiting:
        with closing(connection):
            assert connection.getresponse().status == 200


def test_a_slow_answer_that_falls_due_while_everything_hangs_waits_as_well(start: Start) -> None:
    sample = start()
    slow = asked(sample, "/slow?seconds=0.2")
    told(sample, "hang")
    with closing(sample.connect()) as later:
        later.request("GET", "/slow?seconds=0.3")
        told(sample, "heal")
        assert later.getresponse().status == 200
    with closing(slow):
        assert slow.getresponse().status == 200


def test_it_fails_everything_but_ping_or_only_ping(start: Start) -> None:
    sample = start()
    told(sample, "fail&code=502")
    assert [sample.request("GET", path)[0] for path in ("/", "/version", "/ping")] == [502, 502, 200]
    told(sample, "heal")
    told(sample, "fail-ping&code=503")
    assert [sample.request("GET", path)[0] for path in ("/", "/ping")] == [200, 503]
    told(sample, "heal")
    assert sample.request("GET", "/ping")[0] == 200


def test_healing_ends_what_the_options_asked_for(start: Start) -> None:
    for arguments in (("--fail-ping", "500"), ("--healthy-pings", "0"), ("--redirect-ping", "/login")):
        sample = start(*arguments)
        assert sample.request("GET", "/ping")[0] != 200
        told(sample, "heal")
        assert sample.request("GET", "/ping")[0] == 200


def test_it_exits_with_the_code_it_is_given(start: Start) -> None:
    sample = start()
    with pytest.raises(ConnectionResetError):
        sample.request("POST", "/control?do=exit&code=3")
    assert sample.end() == 3


def test_frozen_it_does_not_even_end_when_asked(start: Start) -> None:
    sample = start()
    with closing(sample.connect()) as silent:
        silent.request("POST", "/control?do=freeze")
        assert sample.process.stdout is not None
        assert sample.process.stdout.readline() == "told to freeze\n"
        sample.process.terminate()
        with socket.create_connection(("127.0.0.1", sample.port), timeout=0.2) as client:
            client.sendall(b"GET /ping HTTP/1.1\r\n\r\n")
            with pytest.raises(TimeoutError):
                client.recv(1)
        assert sample.process.poll() is None


def test_what_it_cannot_be_told_is_refused(start: Start) -> None:
    sample = start()
    status, body = sample.request("POST", "/control?do=dance")
    assert (status, b"freeze, hang, hang-ping, heal" in body) == (400, True)
    assert sample.request("GET", "/control?do=exit")[0] == 405
    assert sample.request("POST", "/control?do=fail&code=x")[0] == 400


def test_it_warms_up(start: Start) -> None:
    cold = start("--warm-up", "1000")
    assert cold.request("GET", "/ping") == (503, b"warming up\n")
    assert cold.request("GET", "/version")[0] == 200
    brief = start("--warm-up", "0.1")
    asyncio.run(until(lambda: brief.request("GET", "/ping")[0] == 200))


def test_a_late_ping_is_an_answer(start: Start) -> None:
    sample = start("--ping-delay", "0.05")
    assert sample.request("GET", "/ping") == (200, b"pong\n")


def test_it_listens_where_nobody_expects_it(start: Start) -> None:
    port = free_port()
    sample = start("--listen-on", str(port))
    assert sample.port == port
    assert sample.request("GET", "/ping")[0] == 200


# -- connections that do not end ------------------------------------------------------------------


def upgraded(sample: Sample, kind: bytes, more: bytes = b"") -> tuple[socket.socket, bytes]:
    """Return the connection after its 101, and the head of that answer."""
    client = socket.create_connection(("127.0.0.1", sample.port), timeout=10)
    client.sendall(UPGRADE % (kind, more))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    return client, head


def received(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        assert more, data
        data += more
    return data


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame as a client sends it."""
    mask = os.urandom(4)
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes((0x80 | opcode,)) + length + mask + body


def test_a_web_socket_echoes_frames_answers_pings_and_confirms_the_close(start: Start) -> None:
    client, head = upgraded(start(), b"websocket", KEY)
    with client:
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head  # the example of RFC 6455
        client.sendall(masked(1, b"hello"))
        assert received(client, 7) == b"\x81\x05hello"
        long = masked(2, b"x" * 300)
        client.sendall(long[:50])
        client.sendall(long[50:])
        assert received(client, 304) == b"\x82\x7e\x01\x2c" + b"x" * 300
        client.sendall(masked(9, b"?"))
        assert received(client, 3) == b"\x8a\x01?"
        client.sendall(masked(8, b"\x03\xe8"))
        assert received(client, 4) == b"\x88\x02\x03\xe8"
        assert client.recv(1) == b""


def test_any_other_upgrade_echoes_bytes(start: Start) -> None:
    client, head = upgraded(start(), b"echo")
    with client:
        assert b"Upgrade: echo\r\n" in head
        client.sendall(b"\x00anything")
        assert received(client, 9) == b"\x00anything"


def test_without_an_upgrade_the_socket_asks_for_one(start: Start) -> None:
    assert start().request("GET", "/socket")[0] == 426


def test_an_event_stream_sends_line_after_line(start: Start) -> None:
    sample = start()
    with closing(sample.connect()) as client:
        client.request("GET", "/events?every=0.01")
        answer = client.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        lines = [answer.readline() for _ in range(6)]
        assert [line[:7] for line in lines] == [b"data: 1", b"\n", b"data: 2", b"\n", b"data: 3", b"\n"]
        answer.close()


def test_asked_to_end_it_says_goodbye_on_every_stream(start: Start) -> None:
    sample = start()
    client, _ = upgraded(sample, b"websocket", KEY)
    with client, closing(sample.connect()) as listener:
        listener.request("GET", "/events")
        answer = listener.getresponse()
        sample.process.terminate()
        assert received(client, 4) == b"\x88\x02\x03\xe9"  # 1001: going away
        assert answer.read().startswith(b"data: 1")  # and its end: nothing was cut short
    assert sample.end() == 0


def test_the_key_of_a_web_socket_is_answered_as_the_standard_says() -> None:
    assert accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
