"""Nothing grows beyond what one person can hold in mind."""

from __future__ import annotations

import ast

from tests.architecture.repository import SOURCE, modules, named, tree

MODULE_LINES = 400
FUNCTION_LINES = 50
PROTOCOL_METHODS = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_module_is_too_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in modules()}
    assert lengths
    assert [f"{named(path)}: {n}" for path, n in lengths.items() if n > MODULE_LINES] == []


def test_no_function_is_too_long() -> None:
    found = [
        f"{named(path, node.lineno)} {node.name}: {length}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert found == []


def test_no_port_asks_for_too_much() -> None:
    protocols = {
        f"{named(path, node.lineno)} {node.name}": sum(isinstance(part, Function) for part in node.body)
        for path in modules()
        if path.parent == SOURCE / "ports"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and "Protocol" in [ast.unparse(base) for base in node.bases]
    }
    assert protocols
    assert {name: count for name, count in protocols.items() if count > PROTOCOL_METHODS} == {}
