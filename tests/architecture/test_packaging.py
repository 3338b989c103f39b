"""What is in the source folder reaches those who install the package."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.repository import ROOT, SOURCE, named, tracked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DATA = PROJECT["tool"]["setuptools"]["package-data"]["bluegreen"]


def test_every_file_is_a_module_or_declared_data() -> None:
    lost = []
    for path in tracked():
        if not path.is_relative_to(SOURCE):
            continue
        inside = path.relative_to(SOURCE)
        packages = [SOURCE / folder / "__init__.py" for folder in inside.parents]
        is_module = path.suffix == ".py" and all(package.exists() for package in packages)
        if not is_module and not any(_matches(str(inside), pattern) for pattern in DATA):
            lost.append(named(path))
    assert lost == []


def _matches(name: str, pattern: str) -> bool:
    """As setuptools does: ``**`` stands for any number of folders."""
    parts = re.split(r"(\*\*/|\*\*|\*)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(meaning.get(part, re.escape(part)) for part in parts), name) is not None


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if re.fullmatch(r"[\w.-]+==[\w.]+", pin) is None] == []
    pinned = {_plain(pin.partition("==")[0]) for pin in pins}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = {*PROJECT["project"]["dependencies"], *extras["test"]}
    assert {
        name for line in wanted if (name := _plain(re.split(r"[<>=!~\[; ]", line)[0])) not in pinned
    } == set()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
