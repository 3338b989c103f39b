"""What belongs to the repository: the files git knows, and their Python parsed."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "bluegreen"
CODE = ("src", "tests", "bench", "examples", "scripts")


@cache
def tracked() -> tuple[Path, ...]:
    """Return every file that is in the repository or would be added to it, sorted."""
    # A checkout may belong to somebody else than the one who runs the tests.
    git = ("git", "-c", "safe.directory=*", "-C", str(ROOT))
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return tuple(sorted(path for name in listed if name and (path := ROOT / name).is_file()))


def modules() -> Iterator[Path]:
    """Yield every Python file of ours."""
    for path in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in CODE:
            yield path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def named(path: Path, line: int | None = None) -> str:
    """Return how a person finds the place."""
    place = str(path.relative_to(ROOT))
    return place if line is None else f"{place}:{line}"
