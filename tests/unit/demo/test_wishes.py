"""What ``demo`` is asked for, refused before anything is started."""

from __future__ import annotations

import io
import socket

import pytest

from bluegreen.demo.main import run
from bluegreen.demo.story import Story
from bluegreen.domain.errors import UserError
from bluegreen.load.report import ASCII


@pytest.mark.parametrize(
    ("runtime", "duration", "port", "code"),
    [
        ("podman", None, None, "bad_demo"),
        ("process", 0.5, None, "bad_demo"),
        ("process", float("nan"), None, "bad_demo"),
        ("process", 1e9, None, "bad_demo"),
        ("process", None, 70000, "bad_demo"),
    ],
)
def test_impossible_wishes_are_refused(
    runtime: str, duration: float | None, port: int | None, code: str
) -> None:
    with pytest.raises(UserError) as caught:
        run(runtime, False, duration, port)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_taken_port_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(UserError) as caught:
        run("process", False, None, other.getsockname()[1])
    assert caught.value.code == "port_in_use"
    assert "--port" in caught.value.hint


def test_the_story_can_be_told_to_a_stream_that_knows_ascii_only() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    story = Story(stream, ASCII)
    story.heading("green → blue")
    story.output("✓ done")
    assert raw.getvalue() == b"\ngreen -> blue\n? done\n"
