"""The sample application does what demo and tests rely on: answers, ends gracefully, fails on demand."""

from __future__ import annotations

import ast
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen.sample import app, db
from bluegreen.sample.options import parse
from tests.support.sample_app import Start

MODULES = sorted(Path(app.__file__).parent.glob("*.py"))
MINIMAL = {"__future__", "argparse", "base64", "collections.abc", "hashlib", "heapq", "os", "selectors"}
MINIMAL |= {"signal", "socket", "struct", "sys", "threading", "time", "types", "urllib.parse"}
"""What the modules may import: all of it is in Debian's python3-minimal (no json, http, asyncio …)."""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_nothing_is_imported_that_python3_minimal_lacks(module: Path) -> None:
    tree = ast.parse(module.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if not name.startswith("bluegreen.sample.")} <= MINIMAL


def test_it_runs_from_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "bluegreen" / "sample"
    folder.mkdir(parents=True)
    for module in MODULES:
        (folder / module.name).write_bytes(module.read_bytes())
    argv = [sys.executable, "-S", "-m", "bluegreen.sample.app", "--exit-at-start", "7"]
    environment = {"PYTHONPATH": str(tmp_path)}
    assert subprocess.run(argv, env=environment, cwd=tmp_path, check=False, timeout=20).returncode == 7


def test_it_answers(start: Start) -> None:
    sample = start("--instance", 'a "name"')
    for method, body in (("GET", b"pong\n"), ("OPTIONS", b"pong\n"), ("HEAD", b"")):
        assert sample.request(method, "/ping") == (200, body)
    version = json.loads(sample.request("GET", "/version")[1])
    assert version == {"version": "1.2.3", "pid": sample.process.pid, "instance": 'a "name"'}
    assert sample.request("POST", "/echo", b"x" * 3_000_000) == (200, b"x" * 3_000_000)
    assert sample.request("GET", "/slow?seconds=0.01")[0] == 200
    assert sample.request("GET", "/absent")[0] == 404
    assert sample.request("GET", "/echo")[0] == 405


def test_one_connection_serves_many_requests_in_their_order(start: Start) -> None:
    sample = start()
    connection = sample.connect()
    for _ in range(3):
        connection.request("GET", "/ping")
        assert connection.getresponse().read() == b"pong\n"
    connection.close()
    pipelined = b"GET /slow?seconds=0.05 HTTP/1.1\r\n\r\nGET /ping HTTP/1.1\r\nConnection: close\r\n\r\n"
    answers = sample.raw(pipelined)
    assert answers.index(b"version 1.2.3") < answers.index(b"pong")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /slow?seconds=x HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_connection_closed(
    start: Start, data: bytes, status: int
) -> None:
    assert start().raw(data).startswith(f"HTTP/1.1 {status} ".encode())


def test_it_waits_for_a_body_that_was_announced(start: Start) -> None:
    sample = start()
    with socket.create_connection(("127.0.0.1", sample.port), timeout=10) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"hello")
        assert client.recv(1000).endswith(b"hello")


def test_on_term_it_finishes_what_is_in_flight_and_still_serves_who_comes(start: Start) -> None:
    sample = start()
    slow, idle = sample.connect(), sample.connect()
    idle.request("GET", "/ping")
    idle.getresponse().read()
    slow.request("GET", "/slow?seconds=1")
    # The slow one is in the server's hands once a later request was answered.
    assert sample.request("GET", "/ping")[0] == 200
    sample.process.send_signal(signal.SIGTERM)
    assert sample.request("GET", "/ping") == (200, b"pong\n")
    answer = slow.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert sample.end() == 0
    assert idle.sock is not None
    assert idle.sock.recv(1) == b""
    slow.close()
    idle.close()


def test_idle_it_ends_at_once_on_either_signal(start: Start) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        sample = start()
        sample.process.send_signal(number)
        assert sample.end() == 0


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--fail-ping", "503"), 503),
        (("--redirect-ping", "http://other.example/"), 302),
        (("--healthy-pings", "0"), 500),
    ],
)
def test_ping_fails_on_demand_and_the_rest_works(
    start: Start, arguments: tuple[str, ...], status: int
) -> None:
    sample = start(*arguments)
    assert sample.request("GET", "/ping")[0] == status
    assert sample.request("GET", "/version")[0] == 200


def test_ping_turns_sick_and_well_with_a_file(start: Start, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    sample = start("--fail-when-file", str(sick))
    assert sample.request("GET", "/ping")[0] == 200
    sick.touch()
    assert sample.request("GET", "/ping")[0] == 500
    sick.unlink()
    assert sample.request("GET", "/ping")[0] == 200


def test_ping_is_well_a_number_of_times(start: Start) -> None:
    sample = start("--healthy-pings", "2")
    assert [sample.request("GET", "/ping")[0] for _ in range(3)] == [200, 200, 500]


def test_ping_can_hang_and_the_rest_works(start: Start) -> None:
    sample = start("--hang-ping")
    with socket.create_connection(("127.0.0.1", sample.port), timeout=0.2) as client:
        client.sendall(b"GET /ping HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert sample.request("GET", "/version")[0] == 200


def test_it_ends_as_it_is_told(start: Start) -> None:
    assert start("--exit-at-start", "7").end() == 7
    assert start("--exit-after", "0.01", "--exit-code", "5").end() == 5
    dying = start("--die-on-term")
    dying.process.send_signal(signal.SIGTERM)
    assert dying.end() == 143
    stubborn = start("--ignore-term")
    stubborn.process.send_signal(signal.SIGTERM)
    assert stubborn.request("GET", "/ping")[0] == 200


def test_options_come_from_the_environment_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "4001", "VERSION": "9", "FAIL_PING": "500", "HANG_PING": "1"}.items():
        monkeypatch.setenv(name, value)
    options = parse([])
    assert (options.port, options.version, options.fail_ping, options.hang_ping) == (4001, "9", 500, True)
    assert parse(["--port", "1"]).port == 1


def test_the_database_says_pong() -> None:
    process = subprocess.Popen(
        [sys.executable, db.__file__, "--port", "0"], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"PING\nnonsense\n")
            lines = client.makefile().read(18)
        assert lines == "PONG\nERR say PING\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
