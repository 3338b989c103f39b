"""The documentation as text: its pages, their anchors, links and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"

_FENCE = re.compile(r"^ *```(\w*).*?\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a page shows. ``words`` is the text after the prompt."""

    page: Path
    words: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.words}"


@cache
def pages() -> tuple[Path, ...]:
    """Return every Markdown page a user may read."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    return (*found, *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md")))


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return _FENCE.sub("", text(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors of its headings, as the usual renderers make them."""
    found = set()
    for heading in _HEADING.findall(prose(page)):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.strip().replace(" ", "-"))
    return found


def links(page: Path) -> Iterator[str]:
    """Yield the targets of links that stay within the project."""
    for target in _LINK.findall(prose(page)):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def blocks(page: Path, wanted: str) -> Iterator[str]:
    """Yield the fenced blocks of one language."""
    for language, block in _FENCE.findall(text(page)):
        if language == wanted:
            yield block


def commands(page: Path) -> Iterator[Command]:
    """Yield what follows ``$ `` in the blocks marked as ``console``."""
    for language, block in _FENCE.findall(text(page)):
        for line in block.splitlines() if language == "console" else ():
            if line.strip().startswith("$ "):
                yield Command(page, line.strip()[2:])


def spans(page: Path) -> Iterator[Command]:
    """Yield the commands of bluegreen that stand within a sentence."""
    for span in _SPAN.findall(prose(page)):
        words = " ".join(span.split())
        if words.startswith("bluegreen ") and "…" not in words:
            yield Command(page, words)
