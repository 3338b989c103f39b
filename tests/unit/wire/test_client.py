"""The client against every way a controller can be absent, slow, broken or rude."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from bluegreen.domain.errors import BluegreenError, Bug, OutcomeUnknown, Permanent, Temporary, UserError
from bluegreen.wire.address import parse
from bluegreen.wire.client import Client
from tests.unit.cli import fake_controller as fake

NOBODY = 65534


def _client(controller: fake.FakeController) -> Client:
    return Client(parse(controller.url))


def test_nothing_there(home: Path) -> None:
    with pytest.raises(Temporary) as raised:
        Client(parse(f"unix://{home}/bluegreen.sock")).get("/v1/about")
    assert raised.value.code == "no_controller"
    assert "bluegreen up" in raised.value.hint


def test_a_socket_that_a_dead_controller_left(home: Path) -> None:
    with fake.running(home / "s") as controller:
        leftover = controller.path
        os.link(leftover, home / "left")
    with pytest.raises(Temporary) as raised:
        Client(parse(f"unix://{home}/left")).get("/v1/about")
    assert raised.value.code == "no_controller"


def test_a_path_no_socket_can_have(home: Path) -> None:
    with pytest.raises(UserError) as raised:
        Client(parse(f"unix://{home}/{'x' * 200}")).get("/v1/about")
    assert raised.value.code == "bad_host"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_controller_that_hangs(controller: fake.FakeController, method: str) -> None:
    release = threading.Event()
    controller.on("GET /v1/x", fake.hang(release))
    controller.on("POST /v1/x", fake.hang(release))
    client = _client(controller)
    try:
        with pytest.raises(BluegreenError) as raised:
            client.get("/v1/x", timeout=0.2) if method == "get" else client.post("/v1/x", timeout=0.2)
    finally:
        release.set()
    assert raised.value.code == ("controller_silent" if method == "get" else "answer_lost")


def test_an_answer_that_is_lost_is_no_failure_but_unknown(controller: fake.FakeController) -> None:
    controller.on("POST /v1/x", fake.cut)
    with pytest.raises(OutcomeUnknown) as raised:
        _client(controller).post("/v1/x")
    assert raised.value.code == "answer_lost"
    assert "bluegreen status" in raised.value.hint


def test_a_question_whose_answer_is_lost_may_be_asked_again(controller: fake.FakeController) -> None:
    controller.on("GET /v1/x", fake.cut)
    with pytest.raises(Temporary) as raised:
        _client(controller).get("/v1/x")
    assert raised.value.code == "no_controller"


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("user", UserError),
        ("temporary", Temporary),
        ("permanent", Permanent),
        ("unknown", OutcomeUnknown),
        ("bug", Bug),
    ],
)
def test_a_problem_comes_back_as_the_error_it_was(
    controller: fake.FakeController, group: str, kind: type[BluegreenError]
) -> None:
    told = {"title": "it is so", "code": "some_code", "hint": "Do that.", "evidence": [["seen", "this"]]}
    controller.on("POST /v1/x", fake.problem(409, group=group, **told))
    with pytest.raises(kind) as raised:
        _client(controller).post("/v1/x")
    error = raised.value
    assert (error.message, error.code, error.hint) == ("it is so", "some_code", "Do that.")
    assert error.evidence == (("seen", "this"),)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fake.raw(500, b"Internal Server Error"), "controller_fault"),
        (fake.raw(404, b'{"detail":"Not Found"}', "application/json"), "bad_answer"),
        (fake.raw(200, b"<html>a web server</html>"), "bad_answer"),
    ],
)
def test_what_is_not_our_controller_is_said_to_be(
    controller: fake.FakeController, answer: fake.Action, code: str
) -> None:
    controller.on("GET /v1/x", answer)
    with pytest.raises(BluegreenError) as raised:
        _client(controller).get("/v1/x")
    assert raised.value.code == code


def test_names_and_values_are_quoted_and_none_is_left_out(controller: fake.FakeController) -> None:
    from bluegreen.wire.client import path

    where = path("services", "a/b?c", "scale")
    controller.on(f"POST {where}", fake.document({"ok": True}))
    query = {"stack": None, "force": True, "q": "ä b"}
    assert _client(controller).post(where, {"n": 1}, query) == {"ok": True}
    assert controller.requests[0].query == {"force": "true", "q": "ä b"}


def test_a_stream_is_parsed_with_its_comments_and_its_cut_end(controller: fake.FakeController) -> None:
    parts = [": ping\r\n\r\n", "event: progress\r\nid: 7\r\nda", 'ta: {"a": 1}\r\n\r\n', 'data: {"half": ']
    controller.on("GET /v1/s", fake.stream(*parts, then=fake.cut))
    found = list(_client(controller).stream("/v1/s", after=3))
    assert [(m.event, m.id, m.data) for m in found] == [("progress", 7, {"a": 1})]
    assert controller.requests[0].headers["Last-Event-ID"] == "3"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://host:8110", "only with TLS"),
        ("host:80", "unix:///PATH"),
        ("https://host:notaport", "unix:///PATH"),
    ],
)
def test_an_address_that_cannot_be_used_says_what_can(text: str, hint: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(text)
    assert raised.value.code == "bad_host"
    assert hint in raised.value.hint


def test_an_http_address() -> None:
    address = parse("http://127.0.0.1:8110")
    assert (address.host, address.port, address.path, address.tls) == ("127.0.0.1", 8110, "", False)


def test_an_https_address_and_whom_it_trusts() -> None:
    address = parse("https://box.example", "/etc/ca.pem")
    assert (address.host, address.port, address.tls, address.trusted) == (
        "box.example",
        443,
        True,
        "/etc/ca.pem",
    )


def test_a_file_of_certificates_that_is_not_there() -> None:
    with pytest.raises(UserError) as raised:
        Client(parse("https://127.0.0.1:1", "/nowhere/ca.pem")).get("/v1/about")
    assert raised.value.code == "bad_host"
    assert "BLUEGREEN_CA" in raised.value.hint


def test_a_token_does_not_go_over_the_socket(controller: fake.FakeController) -> None:
    controller.on("GET /v1/about", fake.document({}))
    Client(parse(controller.url), "bg_secret").get("/v1/about")
    assert "Authorization" not in controller.requests[-1].headers


@pytest.mark.parametrize("hidden", [False, True], ids=["socket", "folder"])
def test_no_permission_says_who_may(hidden: bool) -> None:
    """As another user: root may open every socket."""
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        inner = Path(folder, "state")
        inner.mkdir()
        with fake.running(inner / "s") as controller:
            os.chmod(folder, 0o755)
            os.chmod(inner, 0o700 if hidden else 0o755)
            os.chmod(controller.path, 0o600)
            script = (
                "import os, sys\n"
                "from bluegreen.wire.address import parse\n"
                f"os.getuid() or os.setuid({NOBODY})\n"
                "try:\n"
                f"    with parse('{controller.url}').connect(5):\n"
                "        pass\n"
                "except Exception as e:\n"
                "    print(e.code, '|', e.evidence, '|', e.hint)\n"
            )
            if os.geteuid() != 0:
                os.chmod(inner if hidden else controller.path, 0)
            done = subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
            )
            os.chmod(inner, 0o700)
    assert done.stdout.startswith("socket_permission"), done
    assert ("folder readable" in done.stdout) is hidden
    assert ("mode 0" in done.stdout) is not hidden


def test_a_command_whose_answer_was_lost_is_sent_again_with_its_key(controller: fake.FakeController) -> None:
    busy = fake.problem(409, group="temporary", code="request_in_progress", title="busy")
    controller.on("POST /v1/x", fake.cut, busy, fake.document({"ok": True}))
    controller.on("GET /v1/about", fake.cut, fake.document({"idempotency_keys": True}))
    assert _client(controller).post("/v1/x", {"n": 1}) == {"ok": True}
    keys = {request.headers["Idempotency-Key"] for request in controller.asked("POST /v1/x")}
    assert len(keys) == 1
    assert len(controller.asked("POST /v1/x")) == 3


@pytest.mark.parametrize("keyed", [True, False])
def test_it_is_not_where_that_could_do_it_twice(controller: fake.FakeController, keyed: bool) -> None:
    controller.on("POST /v1/x", fake.cut)
    controller.on("GET /v1/about", fake.document({"version": "0", "idempotency_keys": not keyed}))
    with pytest.raises(OutcomeUnknown):
        _client(controller).post("/v1/x", keyed=keyed)
    assert len(controller.asked("POST /v1/x")) == 1


def test_a_controller_that_does_not_come_back_leaves_the_outcome_unknown(
    controller: fake.FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluegreen.wire.again.BACK", 0.0)
    controller.on("POST /v1/x", fake.cut)
    controller.on("GET /v1/about", fake.cut)
    with pytest.raises(OutcomeUnknown) as raised:
        _client(controller).post("/v1/x")
    assert raised.value.code == "answer_lost"
