"""The real prober looks for a text in answers, and speaks TLS, however mean the other end is."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from bluegreen.domain.check import CheckKind
from bluegreen.domain.health import Outcome
from bluegreen.drivers.probers.http import HttpProber
from tests.support.certificates import self_signed
from tests.support.mean_servers import CHECK, SHORT, probe, repeating, saying

# -- a text that must be in the body -------------------------------------------------------------

WANTED = replace(CHECK, body="ready: yes")
BEGUN = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (BEGUN, b"ready", b": y", b"es"),
        (BEGUN + b"x" * 8000, b"ready: yes", b"y" * 5000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"6\r\nready:\r\n", b"4\r\n yes\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nnow ready: yes",),
        tuple(bytes([byte]) for byte in BEGUN + b"ready: yes"),
    ],
)
def test_a_text_is_found_however_it_comes(parts: tuple[bytes, ...]) -> None:
    for then_wait in (False, True):
        result = probe(saying(*parts, then_wait=then_wait), WANTED)
        assert (result.outcome, result.status, result.error) == (Outcome.PASS, 200, "")


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((BEGUN + b"ready: no",), "status 200, but 'ready: yes' is not in the answer: 'ready: no'"),
        ((BEGUN,), "status 200, but 'ready: yes' is not in the answer: an empty body"),
        ((BEGUN + b"\x1b[2J\xff",), "status 200, but 'ready: yes' is not in the answer: '\\x1b[2J�'"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nready: y",), "is not in the answer: 'ready: y'"),
        ((b"HTTP/1.1 200 OK\r\nX: ready: yes\r\n\r\nno",), "is not in the answer: 'no'"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nready: yes",), "an empty body"),
        ((BEGUN + b"x" * 8192 + b"ready: yes",), "is not in the first 8 KiB of the answer: 'xxx"),
    ],
)
def test_what_came_instead_of_the_text_is_shown(parts: tuple[bytes, ...], error: str) -> None:
    result = probe(saying(*parts), WANTED)
    assert (result.outcome, result.status) == (Outcome.FAIL, 200)
    assert error in result.error
    assert result.error.isprintable()


def test_a_body_without_end_is_not_searched_for_ever() -> None:
    result = probe(repeating(BEGUN, b"x" * 10_000), WANTED)
    assert "is not in the first 8 KiB" in result.error
    endless_nothing = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    result = probe(repeating(endless_nothing, b"1;" + b"e" * 2000 + b"\r\nx\r\n"), WANTED)
    assert result.outcome is Outcome.FAIL
    assert "is not in the answer: 'xxx" in result.error


def test_a_body_that_drips_is_bounded_by_the_timeout() -> None:
    result = probe(repeating(BEGUN, b"x", pause=0.01), replace(SHORT, body="ready"))
    assert result.outcome is Outcome.FAIL
    assert result.error.startswith("timed out after 0.2 s (status 200, but 'ready' is not in the answer: 'x")


def test_a_reset_in_the_middle_of_the_body_ends_it() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(BEGUN + b"rea")
        await writer.drain()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    result = probe(reset, WANTED)
    assert result.outcome is Outcome.FAIL
    assert result.error


# -- TLS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_what_speaks_no_tls_is_named(greeting: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(greeting)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    for kind in (CheckKind.HTTP, CheckKind.TCP):
        result = probe(serve, replace(CHECK, kind=kind, tls=True))
        assert (result.outcome, result.status) == (Outcome.FAIL, None)
        assert "TLS handshake" in result.error
        assert "(no TLS there?)" in result.error


def test_a_handshake_that_hangs_is_bounded_by_the_time_to_connect() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for check in (replace(SHORT, tls=True), replace(CHECK, tls=True, connect_timeout=0.2)):
        result = probe(serve, check)
        assert (result.outcome, result.error) == (
            Outcome.FAIL,
            "timed out after 0.2 s during the TLS handshake",
        )


def test_the_name_asked_for_is_the_checks_host() -> None:
    asked: list[str | None] = []
    context = self_signed()
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    answer = saying(BEGUN)
    for host in ("shop.example", None):
        check = replace(CHECK, tls=True, host=host)
        assert probe(answer, check, tls=context).outcome is Outcome.PASS
    assert asked == ["shop.example", None]


def test_a_server_that_wants_our_certificate_fails_and_says_so() -> None:
    context = self_signed()
    context.verify_mode = ssl.CERT_REQUIRED

    def refuse(listener: socket.socket, probed: threading.Event) -> None:
        client, _ = listener.accept()
        with context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as secured:
            with suppress(ssl.SSLError):
                secured.do_handshake()
            probed.wait(30)  # closing at once could overtake the alert

    with socket.create_server(("127.0.0.1", 0)) as listener:
        probed = threading.Event()
        serving = threading.Thread(target=refuse, args=(listener, probed))
        serving.start()
        check = replace(CHECK, tls=True)
        result = asyncio.run(HttpProber().probe("127.0.0.1", listener.getsockname()[1], check))
        probed.set()
        serving.join()
    assert result.outcome is Outcome.FAIL
    assert result.error.startswith("TLS failed: ")
    assert "certificate required" in result.error


def test_what_is_mean_is_mean_inside_of_tls_too() -> None:
    tls = replace(WANTED, tls=True)
    result = probe(repeating(BEGUN, b"x" * 10_000), tls, tls=self_signed())
    assert "is not in the first 8 KiB" in result.error
    result = probe(repeating(BEGUN, b"x", pause=0.01), replace(tls, timeout=0.5), tls=self_signed())
    assert result.error.startswith("timed out after 0.5 s")
    result = probe(saying(BEGUN, b"ready", b": yes"), tls, tls=self_signed())
    assert result.outcome is Outcome.PASS
