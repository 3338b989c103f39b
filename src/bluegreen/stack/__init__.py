"""The user's stack file: two dialects in, one :class:`~bluegreen.domain.stack.StackSpec` out.

The public face of the package, used by the API and the CLI. Importing it is cheap; YAML and
pydantic come in with the first call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bluegreen.stack.problems import Loaded, Problem, Severity, refused

if TYPE_CHECKING:
    from bluegreen.stack.documentation import KeyDoc

__all__ = ["Loaded", "Problem", "Severity", "find_files", "keys", "load", "refused", "schema"]


def load(
    files: Sequence[Path],
    *,
    name: str | None,
    environment: Mapping[str, str],
    publish: Mapping[int, int] = MappingProxyType({}),
) -> Loaded:
    """Read ``files`` (later ones override earlier ones) into one stack.

    ``name`` of ``None`` takes the file's own name or that of its folder. ``environment`` fills in
    variables; a ``.env`` beside the first file lies below it. ``publish`` maps host ports of
    listeners and services elsewhere (``{80: 18080}``). Never raises for what a file holds: every
    problem is returned, and the spec is ``None`` if one of them is an error.
    """
    from bluegreen.stack.loading import load_stack

    return load_stack(files, name, environment, publish)


def find_files(directory: Path) -> list[Path]:
    """Return the stack file of ``directory`` or the nearest parent that has one, and its override."""
    from bluegreen.stack.finding import find_stack_files

    return find_stack_files(directory)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of both dialects, for editors."""
    from bluegreen.stack.documentation import json_schema

    return json_schema()


def keys() -> list[KeyDoc]:
    """Return one row per key of both dialects: type, default, whether it is carried out, what it does."""
    from bluegreen.stack.documentation import key_docs

    return key_docs()
