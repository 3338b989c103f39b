"""The demo's stack is the reference stack of the examples: what is shown is what is documented."""

from __future__ import annotations

import fnmatch
import gzip
import io
import tarfile
from importlib import resources
from pathlib import Path

import pytest
import yaml

from bluegreen.demo.images import RECIPES, _context

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "01-devops-challenge"


def shipped(name: str) -> str:
    return resources.files("bluegreen.demo").joinpath("stack", name).read_text()


@pytest.mark.parametrize("name", ["stack.yml", "stack.process.yml"])
def test_the_demo_ships_the_reference_stack(name: str) -> None:
    assert yaml.safe_load(shipped(name)) == yaml.safe_load((EXAMPLE / name).read_text())


def test_both_runtimes_get_the_same_stack() -> None:
    docker, process = (yaml.safe_load(shipped(name)) for name in ("stack.yml", "stack.process.yml"))
    for service in process.values():
        service.pop("x-bluegreen", None)
    assert docker == process


def test_every_image_of_the_stack_can_be_built() -> None:
    stack = yaml.safe_load(shipped("stack.yml"))
    needed = {service["image"] for name, service in stack.items() if name != "lbx"}
    assert {recipe.name for recipe in RECIPES} == needed


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_build_context_holds_what_its_dockerfile_copies(recipe) -> None:  # type: ignore[no-untyped-def]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(_context(recipe).read()))) as archive:
        names = archive.getnames()
        dockerfile = archive.extractfile("Dockerfile")
        assert dockerfile is not None
        lines = dockerfile.read().decode().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY ")]
    assert copied == [recipe.programs]
    sample = {path.name for path in resources.files("bluegreen.sample").iterdir()}
    assert sorted(names) == sorted(["Dockerfile", *fnmatch.filter(sample, recipe.programs)])
    assert recipe.programs.replace("*", "app") in names
