"""Who may import whom, as declared in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.repository import ROOT, SOURCE

LAYERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0][
    "layers"
]

OUTSIDE = {"testing", "load", "sample"}
"""They have contracts of their own."""


def test_the_contracts_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_part_of_the_program_has_its_layer() -> None:
    layered = {name.strip("() ").rpartition(".")[2] for layer in LAYERS for name in layer.split("|")}
    parts = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    parts |= {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    assert parts - layered - OUTSIDE == set()
