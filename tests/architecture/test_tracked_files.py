"""No file names a registry's host or a place on one machine: both are the user's own business."""

from __future__ import annotations

import re

from tests.architecture.repository import named, tracked

# In pieces, so that this file does not contain what it looks for.
REGISTRIES = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry-1", "docker", "io"),
        ("index", "docker", "io"),
        ("auth", "docker", "io"),
        ("hub", "docker", "com"),
        ("download", "docker", "com"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("gcr", "io"),
        ("pkg", "dev"),
        ("azurecr", "io"),
        ("public", "ecr", "aws"),
        ("registry", "k8s", "io"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("unpkg", "com"),
        ("cdn", "jsdelivr", "net"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("proxy", "golang", "org"),
    )
]
PLACES = ["/".join(("", *pieces)) for pieces in (("root", ""), ("work", ""), ("tmp", "venv"), (".pyenv",))]

_HOSTS = [rf"\b{re.escape(host)}\b" for host in REGISTRIES]
_PATHS = [rf"(?<![\w.$}}]){re.escape(place)}" for place in PLACES]
FORBIDDEN = re.compile("|".join(_HOSTS + _PATHS))


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            found += [f"{named(path, number)}: {match.group()}" for match in FORBIDDEN.finditer(line)]
    assert found == []
