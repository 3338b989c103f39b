"""Stack files for programs: read by the same rules as by ``bluegreen up``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def stack_file(
    *files: str | Path,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
    publish: Mapping[int, int] | None = None,
) -> dict[str, Any]:
    """Return the stack of ``files`` (later ones override earlier ones) as the API takes it.

    ``environment`` fills in variables (this process's if absent); ``publish`` maps ports of listeners
    (``{80: 18080}``). Raises ``UserError`` (``bad_stack``) with every problem as evidence.
    """
    from pydantic import TypeAdapter

    from bluegreen.stack import load, refused

    values = os.environ if environment is None else environment
    loaded = load([Path(file) for file in files], name=name, environment=values, publish=publish or {})
    if loaded.spec is None:
        raise refused(loaded)
    document: dict[str, Any] = TypeAdapter(type(loaded.spec)).dump_python(loaded.spec, mode="json")
    return document
