"""The Engine's streams, taken apart: JSON lines, framed output, text lines. No I/O of its own.

Used for events and pulls (one JSON object per line) and for logs and commands. Source of the frame
format: the Engine API reference, "Attach to a container", section "Stream format".
"""

from __future__ import annotations

import codecs
import json
import struct
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

HEADER = struct.Struct(">BxxxL")
"""Stream number (1 stdout, 2 stderr) and length of the payload that follows."""

LONGEST_LINE = 1 << 20
"""Bytes after which an unfinished line is given out as it is."""


async def json_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[dict[str, Any]]:
    """Yield the objects of a stream with one JSON object per line. A broken last line is dropped."""
    rest = b""
    async for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            if line.strip():
                yield json.loads(line)


async def frames(chunks: AsyncIterable[bytes]) -> AsyncGenerator[tuple[int, bytes]]:
    """Yield (stream, payload) of a framed output. An unfinished last frame is dropped."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) >= HEADER.size:
            stream, length = HEADER.unpack_from(held)
            end = HEADER.size + length
            if len(held) < end:
                break
            yield stream, bytes(held[HEADER.size : end])
            del held[:end]


async def raw(chunks: AsyncIterable[bytes]) -> AsyncGenerator[tuple[int, bytes]]:
    """Yield the output of a terminal, which is one stream without frames."""
    async for chunk in chunks:
        yield 1, chunk


async def text_lines(output: AsyncIterable[tuple[int, bytes]]) -> AsyncGenerator[str]:
    """Yield lines without their ends, as they are completed; stdout and stderr never share a line."""
    decode = {number: codecs.getincrementaldecoder("utf-8")("replace").decode for number in (0, 1, 2)}
    rest: dict[int, str] = {}
    async for stream, payload in output:
        *complete, last = (rest.get(stream, "") + decode[stream % 3](payload)).split("\n")
        for line in complete:
            yield line.removesuffix("\r")
        if len(last) > LONGEST_LINE:
            yield last
            last = ""
        rest[stream] = last
    for unfinished in rest.values():
        if unfinished:
            yield unfinished
