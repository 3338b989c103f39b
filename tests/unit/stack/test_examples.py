"""The stack files of the examples load without an error."""

from pathlib import Path

import pytest

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.spec import RestartPolicy
from bluegreen.stack import Severity, load

EXAMPLES = Path(__file__).parents[3] / "examples"
CHALLENGE = EXAMPLES / "01-devops-challenge"


@pytest.mark.parametrize("name", ["stack.yml", "stack.process.yml"])
def test_the_reference_stack(name: str) -> None:
    loaded = load([CHALLENGE / name], name=None, environment={})
    assert [p.severity for p in loaded.problems] == [Severity.INFO, Severity.INFO]
    assert loaded.spec is not None
    green = loaded.spec.service("webx-green")
    assert green is not None
    assert green.restart is RestartPolicy.ALWAYS
    assert green.check == HealthCheck(
        method="OPTIONS", path="/ping", expect=((200, 399),), interval=2.0, timeout=2.0, rise=1, fall=2
    )
    (route,) = loaded.spec.routes
    assert (route.name, route.port, route.target) == ("lbx", 80, "webx-green")
    assert route.candidates == ("webx-green", "webx-blue")
    database = loaded.spec.service("db")
    assert database is not None
    assert (database.image, database.check.kind) == ("mongo:latest", CheckKind.TCP)


def test_the_process_file_differs_only_in_how_to_run() -> None:
    docker = load([CHALLENGE / "stack.yml"], name="a", environment={}).spec
    process = load([CHALLENGE / "stack.process.yml"], name="a", environment={}).spec
    assert docker is not None
    assert process is not None
    assert docker.routes == process.routes
    assert docker.balancers == process.balancers
    for service in process.services:
        assert service.process is not None
        assert service.process.command[0] == "{python}"
        same = docker.service(service.name)
        assert same is not None
        assert (service.image, service.links, service.check) == (same.image, same.links, same.check)


def test_the_files_may_also_be_given_together() -> None:
    both = load([CHALLENGE / "stack.yml", CHALLENGE / "stack.process.yml"], name="a", environment={}).spec
    process = load([CHALLENGE / "stack.process.yml"], name="a", environment={}).spec
    assert both is not None
    assert process is not None
    assert both.services == process.services


def test_the_compose_example_takes_a_new_version_from_the_environment() -> None:
    loaded = load([EXAMPLES / "02-compose" / "compose.yml"], name=None, environment={"WEB_VERSION": "0.0.2"})
    assert loaded.problems == ()
    assert loaded.spec is not None
    web = loaded.spec.service("web")
    assert web is not None
    assert loaded.spec.name == "shop"
    assert web.image == "tactivos/devops-challenge:0.0.2"
    assert web.replicas == 2
