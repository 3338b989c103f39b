"""The Docker runtime pulls what is missing: from a real registry, with the user's own login."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.domain.instance import Prepared
from bluegreen.domain.spec import ServiceSpec
from bluegreen.drivers.runtimes.docker import Options, open_runtime
from tests.support.docker_engine import DockerEngine
from tests.support.image_registry import ImageRegistry, serving
from tests.support.ports import free_port

pytestmark = pytest.mark.docker


@pytest.fixture
def registry() -> Iterator[ImageRegistry]:
    with serving() as registry:
        yield registry


@pytest.fixture
def private() -> Iterator[ImageRegistry]:
    with serving(login="ann:secret:word") as registry:
        yield registry


def prepare(engine: DockerEngine, image: str, config_dir: Path, **options: Any) -> Prepared:
    async def main() -> Prepared:
        settings = {"url": engine.url, "config_dir": config_dir, **options}
        async with open_runtime(Options.model_validate(settings)) as runtime:
            return await runtime.prepare("shop", ServiceSpec(name="web", image=image))

    return asyncio.run(main())


def refused(engine: DockerEngine, image: str, config_dir: Path) -> BluegreenError:
    with pytest.raises(BluegreenError) as caught:
        prepare(engine, image, config_dir)
    assert image in caught.value.message
    assert caught.value.hint
    assert caught.value.evidence
    return caught.value


def login(config_dir: Path, **config: Any) -> None:
    (config_dir / "config.json").write_text(json.dumps(config))


def test_a_missing_image_is_pulled_and_pinned_to_its_digest(
    docker_engine: DockerEngine, registry: ImageRegistry, tmp_path: Path
) -> None:
    image = registry.publish("team/web:1", content="one", port=8080)
    prepared = prepare(docker_engine, image, tmp_path)
    assert prepared.image == f"{registry.host}/team/web@{prepared.digest}"
    assert prepared.digest.startswith("sha256:")
    assert prepared.ports == (8080,)


def test_a_present_image_is_not_pulled_again_and_a_moved_tag_changes_nothing(
    docker_engine: DockerEngine, registry: ImageRegistry, tmp_path: Path
) -> None:
    image = registry.publish("team/web:1", content="one")
    first = prepare(docker_engine, image, tmp_path)
    registry.publish("team/web:1", content="two")
    assert prepare(docker_engine, image, tmp_path) == first
    docker_engine.docker("rmi", image)
    moved = prepare(docker_engine, image, tmp_path)
    assert moved.image != first.image
    assert prepare(docker_engine, first.image, tmp_path).image == first.image


def test_an_image_that_no_registry_knows_is_pinned_to_its_id(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    prepared = prepare(docker_engine, "mongo", tmp_path)
    assert prepared.image == prepared.digest
    assert prepared.image == docker_engine.docker("image", "inspect", "-f", "{{.Id}}", "mongo:latest")
    assert prepared.ports == (27017,)


def test_an_image_that_its_registry_lacks_is_missing(
    docker_engine: DockerEngine, registry: ImageRegistry, tmp_path: Path
) -> None:
    error = refused(docker_engine, f"{registry.host}/team/absent:1", tmp_path)
    assert isinstance(error, UserError)
    assert error.code == "image_missing"
    assert "manifest" in dict(error.evidence)["registry"]


def test_a_registry_that_does_not_answer_is_temporary(docker_engine: DockerEngine, tmp_path: Path) -> None:
    error = refused(docker_engine, f"127.0.0.1:{free_port()}/team/web:1", tmp_path)
    assert isinstance(error, Temporary)
    assert error.code == "registry_unreachable"


def test_an_image_for_another_platform_is_refused(
    docker_engine: DockerEngine, registry: ImageRegistry, tmp_path: Path
) -> None:
    image = registry.publish("team/web:s390", content="one", architecture="s390x")
    error = refused(docker_engine, image, tmp_path)
    assert (error.code, error.exit_code) == ("wrong_platform", 2)
    assert "s390x" in error.message


def test_the_users_own_login_is_used(
    docker_engine: DockerEngine, private: ImageRegistry, tmp_path: Path
) -> None:
    image = private.publish("team/web:1", content="one")
    auth = base64.b64encode(b"ann:secret:word").decode()
    login(tmp_path, auths={private.host: {"auth": auth}})
    assert prepare(docker_engine, image, tmp_path).digest


def test_a_credential_helper_is_asked_for_its_registry(
    docker_engine: DockerEngine, private: ImageRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(
        tmp_path,
        f'read server; test "$server" = {private.host} || exit 1\n'
        'echo \'{"Username": "ann", "Secret": "secret:word"}\'',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    login(tmp_path, credHelpers={private.host: "test"})
    image = private.publish("team/web:1", content="one")
    assert prepare(docker_engine, image, tmp_path).digest


def test_a_helper_that_knows_no_login_leaves_the_stored_one(
    docker_engine: DockerEngine, private: ImageRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "echo credentials not found in native keychain; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    auth = base64.b64encode(b"ann:secret:word").decode()
    login(tmp_path, credsStore="test", auths={private.host: {"auth": auth}})
    image = private.publish("team/web:1", content="one")
    assert prepare(docker_engine, image, tmp_path).digest


WRONG = base64.b64encode(b"ann:canary-of-a-login").decode()


@pytest.mark.parametrize("auths", [{}, {"auth": WRONG}])
def test_without_the_right_login_the_registry_is_unauthorized(
    docker_engine: DockerEngine,
    private: ImageRegistry,
    tmp_path: Path,
    auths: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    image = private.publish("team/web:1", content="one")
    login(tmp_path, auths={private.host: auths})
    error = refused(docker_engine, image, tmp_path)
    shown = f"{error.message} {error.evidence} {error.hint} {error.__cause__!r} {capfd.readouterr()}"
    assert "canary-of-a-login" not in shown
    assert WRONG not in shown
    assert (error.code, error.exit_code) == ("registry_unauthorized", 2)
    assert "docker login" in error.hint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{not json", "docker_config_invalid"),
        ('{"credsStore": "that-is-not-installed"}', "credential_helper_failed"),
        ('{"auths": {"HOST": {"auth": "%%%"}}}', "docker_config_invalid"),
    ],
)
def test_a_broken_configuration_of_docker_is_named(
    docker_engine: DockerEngine, registry: ImageRegistry, tmp_path: Path, text: str, code: str
) -> None:
    (tmp_path / "config.json").write_text(text.replace("HOST", registry.host))
    with pytest.raises(UserError) as caught:
        prepare(docker_engine, registry.publish("team/web:1", content=code), tmp_path)
    assert caught.value.code == code


def test_a_helper_that_fails_is_named_without_showing_what_it_printed_as_a_secret(
    docker_engine: DockerEngine, registry: ImageRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "echo swordfish")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    login(tmp_path, credsStore="test")
    with pytest.raises(UserError) as caught:
        prepare(docker_engine, registry.publish("team/web:1", content="x"), tmp_path)
    assert caught.value.code == "credential_helper_failed"
    assert "swordfish" not in f"{caught.value.message}{caught.value.evidence}"


def helper(folder: Path, script: str) -> None:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
