"""Names of images: repository, tag, digest, registry."""

from __future__ import annotations

import pytest

from bluegreen.drivers.runtimes.docker.images import split_reference
from bluegreen.drivers.runtimes.docker.login import registry_of

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("image", "parts", "registry"),
    [
        ("mongo", ("mongo", "latest"), "docker.io"),
        ("mongo:4", ("mongo", "4"), "docker.io"),
        ("team/web:1", ("team/web", "1"), "docker.io"),
        ("host:5000/web", ("host:5000/web", "latest"), "host:5000"),
        ("host:5000/team/web:1", ("host:5000/team/web", "1"), "host:5000"),
        ("example.org/web:1", ("example.org/web", "1"), "example.org"),
        ("localhost/web", ("localhost/web", "latest"), "localhost"),
        (f"mongo@{DIGEST}", ("mongo", DIGEST), "docker.io"),
        (f"host:5000/web:1@{DIGEST}", ("host:5000/web", DIGEST), "host:5000"),
    ],
)
def test_a_reference_is_taken_apart(image: str, parts: tuple[str, str], registry: str) -> None:
    assert split_reference(image) == parts
    assert registry_of(image) == registry
