# ruff: noqa: E501 -- rows of a table stay on one line
"""Several files as one stack, ``extends``, names and where files are looked for."""

from pathlib import Path

import pytest

from bluegreen.stack import find_files
from bluegreen.stack.finding import DEFAULT_NAMES
from tests.unit.stack.files import Folder


def test_docker_cloud_replaces_a_service_as_a_whole(folder: Folder) -> None:
    outcome = folder.load("web: {image: a, command: run}\ndb: {image: d}\n", "web: {image: b}\n")
    assert outcome.service().image == "b"
    assert outcome.service().command is None
    assert outcome.service("db").image == "d"


BASE = """
services:
  web:
    image: a
    command: [run, one]
    environment: [A=1, B=1]
    labels: {x: "1"}
    ports: ["80:80"]
    expose: ["80"]
    volumes: ["/old:/data", "/keep:/keep"]
    dns: [10.0.0.1]
    depends_on: [db]
    x-bluegreen: {bake: 1m, route: [{host: a.b}]}
  db: {image: d}
  cache: {image: c}
"""


def test_compose_merges_deeply(folder: Folder) -> None:
    over = """
services:
  web:
    image: b
    command: [go]
    environment: {B: "2", C: "3"}
    labels: [y=2]
    ports: ["81:81"]
    volumes: ["/new:/data"]
    dns: [10.0.0.2, 10.0.0.1]
    depends_on: {cache: {condition: service_started}}
    x-bluegreen: {drain: 5s, route: [{host: c.d}]}
"""
    outcome = folder.load(BASE.replace('"80:80"', ""), over.replace('"81:81"', ""))
    web = outcome.service()
    assert (web.image, web.command) == ("b", ("go",))
    assert web.environment == {"A": "1", "B": "2", "C": "3"}
    assert web.labels == {"x": "1", "y": "2"}
    assert [(m.source, m.target) for m in web.mounts] == [("/keep", "/keep"), ("/new", "/data")]
    assert web.container.dns == ("10.0.0.2", "10.0.0.1")
    assert web.depends_on == ("db", "cache")
    assert (web.rollout.bake, web.rollout.drain) == (60.0, 5.0)
    assert [route.host for route in outcome.spec.routes] == ["c.d"]


def test_compose_lists_append_what_is_new(folder: Folder) -> None:
    text = "services:\n  web:\n    image: a\n    ports: ['80:80', '81:81']\n"
    outcome = folder.load(text, "services:\n  web:\n    ports: ['81:81', '82:82']\n")
    assert [port.host for port in outcome.service().ports] == [80, 81, 82]


def test_reset_and_override(folder: Folder) -> None:
    text = "services:\n  web:\n    image: a\n    ports: ['80:80']\n    environment: {A: 1}\n    command: x\n"
    over = "services:\n  web:\n    ports: !override ['81:81']\n    environment: !reset {}\n    command: !reset null\n"
    web = folder.load(text, over).service()
    assert [port.host for port in web.ports] == [81]
    assert (web.environment, web.command) == ({}, None)


def test_problems_of_merged_files_name_the_file_they_are_in(folder: Folder) -> None:
    outcome = folder.load("services:\n  web: {image: a}\n", "services:\n  web: {ports: [x]}\n")
    (problem,) = outcome.loaded.problems
    assert problem.file.endswith("stack1.yml")
    assert (problem.line, problem.path) == (2, "services.web.ports.0")


def test_dialects_do_not_mix(folder: Folder) -> None:
    assert folder.load("services:\n  web: {image: a}\n", "web: {image: b}\n").errors == ["mixed_dialects"]


def test_an_override_may_hold_volumes_only(folder: Folder) -> None:
    outcome = folder.load("services:\n  web: {image: a, volumes: ['d:/d']}\n", "volumes:\n  d:\n")
    assert outcome.codes == []


def test_a_docker_cloud_service_may_be_called_services(folder: Folder) -> None:
    assert folder.load("services: {image: x}\n").service("services").image == "x"


def test_extends(folder: Folder) -> None:
    folder.write(
        "base.yml",
        "services:\n  root: {image: r, environment: {A: 1, B: 1}}\n  mid: {extends: root, command: m}\n",
    )
    text = """
services:
  web:
    extends: {file: base.yml, service: mid}
    environment: [B=2]
  job:
    extends: web
    image: j
"""
    outcome = folder.load(text)
    assert (outcome.service().image, outcome.service().command) == ("r", ("m",))
    assert outcome.service().environment == {"A": "1", "B": "2"}
    assert outcome.service("job").image == "j"
    assert outcome.service("job").command == ("m",)


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ("  web: {image: x, extends: wbe}\n  wb: {image: y}\n", "there is no service 'wbe'"),
        ("  web: {image: x, extends: web}\n", "round in a circle"),
        ("  web: {image: x, extends: job}\n  job: {image: y, extends: web}\n", "round in a circle"),
    ],
)
def test_extends_that_lead_nowhere(folder: Folder, services: str, says: str) -> None:
    outcome = folder.load("services:\n" + services)
    assert set(outcome.errors) == {"bad_extends"}
    assert says in outcome.text


def test_a_long_chain_of_extends_is_refused(folder: Folder) -> None:
    chain = "".join(f"  s{n}: {{image: x, extends: s{n + 1}}}\n" for n in range(500)) + "  s500: {image: x}\n"
    assert "bad_extends" in folder.load("services:\n" + chain).errors


def test_x_bluegreen_belongs_to_a_service(folder: Folder) -> None:
    assert folder.load("x-bluegreen: {bake: 1m}\nweb: {image: x}\n").errors == ["misplaced_key"]
    assert folder.load("x-bluegreen: {bake: 1m}\nservices: {web: {image: x}}\n").errors == ["unknown_key"]


def test_a_missing_file_to_extend_is_reported(folder: Folder) -> None:
    outcome = folder.load("services:\n  web: {image: x, extends: {file: no.yml, service: a}}\n")
    assert "file_unreadable" in outcome.errors


@pytest.mark.parametrize(
    ("given", "text", "env", "name"),
    [
        ("asked", "name: own\nservices: {web: {image: x}}\n", {}, "asked"),
        (None, "name: own\nservices: {web: {image: x}}\n", {}, "own"),
        (None, "name: own\nservices: {web: {image: x}}\n", {"COMPOSE_PROJECT_NAME": "env"}, "env"),
        (None, "web: {image: x}\n", {"COMPOSE_PROJECT_NAME": "env"}, "folder-of-mine"),
        ("Big Shop!", "web: {image: x}\n", {}, "big-shop"),
        ("!!!", "web: {image: x}\n", {}, "stack"),
    ],
)
def test_the_name_of_the_stack(
    tmp_path: Path, given: str | None, text: str, env: dict[str, str], name: str
) -> None:
    folder = Folder(tmp_path / "Folder of mine")
    assert folder.load(text, env=env, name=given).spec.name == name


@pytest.mark.parametrize(
    "text", ["services: {}\n", "version: '3'\n", "services:\n", "x-a: 1\n", "services: [a]\n"]
)
def test_a_stack_without_services(folder: Folder, text: str) -> None:
    assert folder.load(text).errors == ["no_services"]


def test_files_are_found_in_the_folder_or_above_with_their_override(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert [f for f in find_files(inner) if tmp_path in f.parents] == []
    (tmp_path / "docker-compose.yml").touch()
    assert find_files(inner) == [tmp_path / "docker-compose.yml"]
    (tmp_path / "docker-cloud.yaml").touch()
    (tmp_path / "docker-cloud.override.yaml").touch()
    assert find_files(inner) == [tmp_path / "docker-cloud.yaml", tmp_path / "docker-cloud.override.yaml"]
    (inner / "bluegreen.yml").touch()
    assert find_files(inner) == [inner / "bluegreen.yml"]


def test_the_names_of_both_originals_are_known() -> None:
    for name in (
        "docker-cloud.yml",
        "docker-cloud.yaml",
        "tutum.yml",
        "tutum.yaml",
        "docker-compose.yml",
        "compose.yaml",
    ):
        assert name in DEFAULT_NAMES
