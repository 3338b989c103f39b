"""Names say what a thing is for, and every module says why it exists."""

from __future__ import annotations

import ast

from tests.architecture.repository import SOURCE, modules, named, tree

NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [named(path) for path in modules() if NO_NAMES & {path.stem, path.parent.name}] == []


def test_every_module_says_why_it_exists() -> None:
    silent = [
        named(path)
        for path in modules()
        if path.is_relative_to(SOURCE) and path.stat().st_size > 0 and ast.get_docstring(tree(path)) is None
    ]
    assert silent == []
