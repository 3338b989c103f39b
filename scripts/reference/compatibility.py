"""``reference/compatibility.md``: what is run together, read from the marks of the end-to-end tests (AST)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from reference.tables import made_from, table

TESTS = Path(__file__).resolve().parents[2] / "tests" / "e2e"
RUNTIMES = ("process", "docker")
REGISTRIES = ("none", "consul", "zookeeper")

_INTRODUCTION = """
# What is tested together

Each name is an end-to-end test that runs the real programs with a load client: it fails if one request fails
(with NGINX: if more fail than its reloads may cost). Every driver besides passes the contract suite of its
port, alone. `–` means that nobody has run it together; not that it cannot.
"""


def render() -> str:
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, together in _marks():
        for row in product(*(together[key] for key in ("runtime", "balancer", "registry"))):
            found.setdefault((row[0], row[1], row[2]), []).append(name)
    balancers = sorted({balancer for _, balancer, _ in found})
    parts = [made_from("the marks `together` of tests/e2e") + _INTRODUCTION]
    for runtime in RUNTIMES:
        rows = [
            [balancer, *(_cell(found.get((runtime, balancer, registry), [])) for registry in REGISTRIES)]
            for balancer in balancers
        ]
        parts += [f"## Runtime: {runtime}\n", table(("balancer", *REGISTRIES), rows)]
    return "\n".join(parts)


def _cell(tests: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(tests)) or "–"


def _marks() -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """Yield the name of each marked test, and the values of its mark."""
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.together":
                    yield node.name, {str(k.arg): _values(ast.literal_eval(k.value)) for k in mark.keywords}


def _values(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
