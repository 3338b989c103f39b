"""``reference/python-client.md``: what is public in ``bluegreen.client``, by its docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass

import bluegreen.client as client
from bluegreen.client.connection import Connection
from bluegreen.client.following import Following
from bluegreen.client.releasing import Releasing
from bluegreen.client.seeing import Seeing
from bluegreen.client.steering import Steering
from reference.tables import made_from

_PARTS = (Seeing, Releasing, Following, Steering)
_INTRODUCTION = """
# The client for Python

How to use it is in [its howto](../howto/python-client.md). Everything is imported from `bluegreen.client`.
"""


def render() -> str:
    parts = [made_from("the docstrings of bluegreen.client") + _INTRODUCTION, "## `Bluegreen`\n"]
    parts += [_signature("Bluegreen", Connection.__init__), _prose(Connection)]
    for part in _PARTS:
        title, _, rest = inspect.getdoc(part).partition(".")
        parts.append(f"## {title}\n")
        if rest.strip():
            parts.append(_plain(rest.strip()))
        for name, method in vars(part).items():
            if not name.startswith("_"):
                parts += [f"### `{name}`\n", _signature(name, method), _prose(method)]
    parts += ["## `stack_file`\n", _signature("stack_file", client.stack_file), _prose(client.stack_file)]
    parts.append("## Answers\n")
    for name in client.__all__:
        kind = getattr(client, name)
        if is_dataclass(kind):
            shown = "\n".join(f"    {field.name}: {field.type}" for field in fields(kind))
            parts += [f"### `{name}`\n", _prose(kind), f"```python\nclass {name}:\n{shown}\n```\n"]
    return "\n".join(parts).rstrip() + "\n"


def _signature(name: str, function: object) -> str:
    signature = inspect.signature(function)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    text = str(signature.replace(parameters=kept)).replace("'", "").removesuffix(" -> None")
    return f"```python\n{name}{text}\n```\n"


def _prose(thing: object) -> str:
    return _plain(inspect.getdoc(thing) or "") + "\n"


def _plain(text: str) -> str:
    """Return a docstring as Markdown: reST's code and references as code."""
    text = re.sub(r":\w+:`([^`]+)`", lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")
