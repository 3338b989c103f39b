"""Which files make up the stack when the user names none.

The names of bluegreen, of Docker Cloud's client and of Compose, in this order, searched in a folder
and then in each of its parents; an override file beside the one found is added.
"""

from __future__ import annotations

from pathlib import Path

_STEMS = ("bluegreen", "docker-cloud", "tutum", "compose", "docker-compose")
DEFAULT_NAMES = tuple(f"{stem}.{extension}" for stem in _STEMS for extension in ("yml", "yaml"))


def find_stack_files(directory: Path) -> list[Path]:
    """Return the file and, if there is one, its override; an empty list if nothing is found."""
    start = directory.absolute()
    for folder in (start, *start.parents):
        for name in DEFAULT_NAMES:
            if (folder / name).is_file():
                return [folder / name, *_overrides(folder / name)]
    return []


def _overrides(path: Path) -> list[Path]:
    same = path.with_name(f"{path.stem}.override{path.suffix}")
    other = same.with_suffix(".yaml" if path.suffix == ".yml" else ".yml")
    return [candidate for candidate in (same, other) if candidate.is_file()][:1]
