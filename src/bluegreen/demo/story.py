"""Tells the demo while it happens: headings, commands as they are typed, their output, remarks.

Used by every module of the demo. Rule: nothing is written but lines, and none that the stream cannot
encode, so that the story also works in a pipe, a log file or a terminal of the C locale.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TextIO

from bluegreen.load.report import Style

_BOLD = "1"
_DIM = "2"
_COMMAND = "1;36"


class Story:
    """The story on one stream (standard output; standard error when that must stay pure JSON)."""

    def __init__(self, stream: TextIO, style: Style) -> None:
        self.style = style
        self._stream = stream

    def heading(self, text: str) -> None:
        self._line("")
        self._line(self.style.paint(self._spelled(text), _BOLD))

    def typed(self, words: Sequence[str]) -> None:
        """Show a command as a user types it."""
        self._line(self.style.paint(f"$ {shlex.join(words)}", _COMMAND))

    def output(self, line: str) -> None:
        self._line(line)

    def remark(self, text: str) -> None:
        self._line(self.style.paint(f"  {self._spelled(text)}", _DIM))

    def block(self, text: str) -> None:
        """Show lines that were laid out already."""
        for line in text.splitlines():
            self._line(line)

    def _spelled(self, text: str) -> str:
        return text.replace("→", self.style.arrow)

    def _line(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()
