"""Names of images: repository, tag, digest, registry."""

from __future__ import annotations

import pytest

from bluegreen.drivers.runtimes.docker.images import repo_digest, split_reference
from bluegreen.drivers.runtimes.docker.login import registry_of

DIGEST = f"sha256:{'0' * 64}"


OWN = "https://index.registry.test/v1/"


@pytest.mark.parametrize(
    ("image", "parts", "registry"),
    [
        ("mongo", ("mongo", "latest"), OWN),
        ("mongo:4", ("mongo", "4"), OWN),
        ("team/web:1", ("team/web", "1"), OWN),
        ("registry.test/library/mongo", ("registry.test/library/mongo", "latest"), OWN),
        ("index.registry.test/team/web:1", ("index.registry.test/team/web", "1"), OWN),
        ("host:5000/web", ("host:5000/web", "latest"), "host:5000"),
        ("host:5000/team/web:1", ("host:5000/team/web", "1"), "host:5000"),
        ("example.test/web:1", ("example.test/web", "1"), "example.test"),
        ("localhost/web", ("localhost/web", "latest"), "localhost"),
        (f"mongo@{DIGEST}", ("mongo", DIGEST), OWN),
        (f"host:5000/web:1@{DIGEST}", ("host:5000/web", DIGEST), "host:5000"),
    ],
)
def test_a_reference_is_taken_apart(image: str, parts: tuple[str, str], registry: str) -> None:
    assert split_reference(image) == parts
    assert registry_of(image, OWN) == registry


@pytest.mark.parametrize(
    ("image", "known", "expected"),
    [
        ("mongo:4", ["mongo"], "mongo"),
        ("registry.test/library/mongo:4", ["mongo"], "mongo"),
        ("registry.test/team/web", ["team/web"], "team/web"),
        ("team/web", ["host:5000/web", "team/web"], "team/web"),
        ("host:5000/web:1", ["host:5000/web"], "host:5000/web"),
        ("host:5000/web:1", ["web"], ""),
        ("web:1", [], ""),
    ],
)
def test_the_digest_is_that_of_the_repository_that_was_named(
    image: str, known: list[str], expected: str
) -> None:
    found = {"RepoDigests": [f"{name}@{DIGEST}" for name in known]}
    assert repo_digest(image, found, OWN) == (f"{expected}@{DIGEST}" if expected else "")
