"""Tests test: they replace nothing behind the program's back, and none is left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.repository import ROOT, modules, named, tree

LEFT_OUT = {"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip", "SkipTest"}


def _tests() -> list[Path]:
    return [path for path in modules() if path.is_relative_to(ROOT / "tests")]


def _words(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every imported and every used name, with its line."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.Attribute(attr=attribute):
                yield node.lineno, attribute


def test_no_test_is_left_out() -> None:
    found = [
        named(path, line)
        for path in _tests()
        for line, word in _words(path)
        if word.rpartition(".")[2] in LEFT_OUT and _is_pytest(path, line)
    ]
    assert found == []


def _is_pytest(path: Path, line: int) -> bool:
    text = path.read_text().splitlines()[line - 1]
    return any(owner in text for owner in ("pytest", "unittest", "mark."))


def test_nothing_is_patched() -> None:
    found = [named(path, line) for path in _tests() for line, word in _words(path) if "unittest.mock" in word]
    assert found == []
