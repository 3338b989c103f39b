"""Finds every error code in the source, with the messages and hints it is raised with.

Reads syntax trees, so that a code is documented the moment it is written. Known forms: ``code="…"``
in any call, ``report.error|warn|info("…", …)`` of the stack reader, and rows of a table of ``Rule``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bluegreen

SOURCE = Path(bluegreen.__file__).parent
REPORTS = {"error", "warn", "info"}
GROUPS = {"UserError", "Temporary", "Permanent", "OutcomeUnknown", "Bug"}
LEFT_OUT = ("testing", "load", "sample")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
BUILT = {"stack.volumes": ("unknown_secret", "unknown_config")}
"""Codes that are put together at run time, by module. A module that is missing here fails loudly."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place that uses ``code``. ``kind`` is the error's class, ``Reason``, or a severity.

    ``module`` is dotted and relative to the package. Parts of texts that are known only at run time
    are ``…``; texts that are made elsewhere are empty.
    """

    code: str
    kind: str
    module: str
    message: str
    hint: str


def places() -> list[Place]:
    """Return every place, in the order of modules and lines."""
    found: list[Place] = []
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        if relative.parts[0] not in LEFT_OUT:
            module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            found += _places_in(ast.parse(path.read_text(encoding="utf-8")), module)
    return found


def _places_in(tree: ast.Module, module: str) -> Iterator[Place]:
    for scope, call in _calls(tree, tree):
        keywords = {k.arg: k.value for k in call.keywords if k.arg}
        name = _name(call.func)
        if "code" in keywords:
            message = keywords.get("message") or (call.args[0] if call.args else None)
            yield from _of(scope, module, name, keywords["code"], message, keywords.get("hint"))
        elif name in REPORTS and len(call.args) >= 2 and module.startswith("stack"):
            yield from _of(scope, module, name, call.args[0], call.args[1], keywords.get("hint"))
        elif name == "Rule" and len(call.args) == 5:
            _, kind, code, said, hint = call.args
            yield from _of(scope, module, _name(kind), code, said, hint)
        elif name == "unknown" and call.args and isinstance(call.args[0], ast.Constant):
            noun = str(call.args[0].value)
            yield Place(f"unknown_{noun}", "UserError", module, f"there is no {noun} …", "Did you mean …?")


def _of(
    scope: ast.AST,
    module: str,
    kind: str,
    code: ast.expr,
    message: ast.expr | None,
    hint: ast.expr | None,
) -> Iterator[Place]:
    """Yield one place for each code that ``code`` can be; messages go with their codes, in order."""
    codes = _words(code, scope)
    if any("…" in c and " " not in c for c in codes):
        codes = [] if module == "engine.commands.lookup" else list(BUILT[module])
    says = _words(message, scope) if message is not None else []
    hints = _words(hint, scope) if hint is not None else []
    for index, found in enumerate(codes):
        if CODE.fullmatch(found):
            said, advice = (texts[min(index, len(texts) - 1)] if texts else "" for texts in (says, hints))
            yield Place(found, _kind(kind, scope), module, said, advice)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _kind(name: str, scope: ast.AST) -> str:
    """Return the error's class; a variable that holds one of two is both."""
    if name != "kind":
        return name
    used = {node.id for node in ast.walk(scope) if isinstance(node, ast.Name)} & GROUPS
    return ", ".join(sorted(used or {"Temporary", "OutcomeUnknown"}))


def _calls(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Yield every call with the function (or module) it stands in."""
    if isinstance(node, ast.Call):
        yield scope, node
    inner = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else scope
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, inner)


def _words(node: ast.expr, scope: ast.AST) -> list[str]:
    """Return the texts ``node`` can have, as far as the source says."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return [re.sub("…+", "…", text) for text in _joined(parts, scope)]
        case ast.IfExp(body=one, orelse=other):
            return [*_words(one, scope), *_words(other, scope)]
        case ast.BoolOp(values=values):
            return [word for value in values for word in _words(value, scope)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            tail = next(iter(_words(right, scope)), "…")
            return [text + tail for text in _words(left, scope)]
        case ast.Name(id=name):
            return _assigned(name, node.lineno, scope)
        case _:
            return []


def _joined(parts: list[ast.expr], scope: ast.AST) -> list[str]:
    """Return the texts of an f-string; a variable that is one of two words makes two of them."""
    texts = [""]
    for part in parts:
        if isinstance(part, ast.Constant):
            texts = [text + str(part.value) for text in texts]
            continue
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        words = _assigned(inner.id, inner.lineno, scope) if isinstance(inner, ast.Name) else []
        words = words if len(words) == 2 and len(texts) == 1 else ["…"]
        texts = [text + word for text in texts for word in words]
    return texts


def _assigned(name: str, line: int, scope: ast.AST) -> list[str]:
    """Return the texts of the last assignment to ``name`` above ``line``."""
    values = [
        node.value
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign)
        and node.lineno < line
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    return _words(max(values, key=lambda value: value.lineno), scope) if values else []
