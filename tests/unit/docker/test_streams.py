"""Streams cut anywhere give the same objects, frames and lines."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bluegreen.drivers.runtimes.docker.streams import HEADER, frames, json_lines, raw, text_lines


async def cut(data: bytes, at: set[int]) -> AsyncIterator[bytes]:
    edges = [0, *sorted(n for n in at if 0 < n < len(data)), len(data)]
    for start, end in itertools.pairwise(edges):
        yield data[start:end]


def collect(stream: AsyncIterator[Any]) -> list[Any]:
    async def main() -> list[Any]:
        return [item async for item in stream]

    return asyncio.run(main())


def frame(stream: int, payload: bytes) -> bytes:
    return HEADER.pack(stream, len(payload)) + payload


cuts = st.sets(st.integers(0, 200))


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers(), max_size=3), max_size=5), cuts)
def test_json_lines(objects: list[dict[str, int]], at: set[int]) -> None:
    data = b"".join(json.dumps(o).encode() + b"\n" for o in objects)
    assert collect(json_lines(cut(data, at))) == objects


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)), max_size=6), cuts)
def test_frames(sent: list[tuple[int, bytes]], at: set[int]) -> None:
    data = b"".join(frame(*one) for one in sent)
    assert collect(frames(cut(data, at))) == sent


def test_an_unfinished_frame_is_dropped() -> None:
    assert collect(frames(cut(frame(1, b"whole") + frame(1, b"half")[:-2], set()))) == [(1, b"whole")]


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=8), max_size=6), cuts
)
def test_lines_of_a_terminal(lines: list[str], at: set[int]) -> None:
    data = "".join(f"{line}\r\n" for line in lines).encode()
    assert collect(text_lines(raw(cut(data, at)))) == lines


def test_stdout_and_stderr_never_share_a_line() -> None:
    data = frame(1, b"out ") + frame(2, b"err\n") + frame(1, b"put\nlast")
    assert collect(text_lines(frames(cut(data, set())))) == ["err", "out put", "last"]


def test_a_character_may_be_cut_and_garbage_is_shown_as_such() -> None:
    data = frame(1, "ü".encode()[:1]) + frame(1, "ü".encode()[1:] + b"\n\xff\n")
    assert collect(text_lines(frames(cut(data, set())))) == ["ü", "�"]
