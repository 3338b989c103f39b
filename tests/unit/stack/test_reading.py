"""YAML itself: positions, traps of YAML 1.1, hostile files."""

from pathlib import Path

import pytest

from bluegreen.domain.spec import PortMapping, RestartPolicy
from bluegreen.stack import Problem, load
from bluegreen.stack.reading import parse
from tests.unit.stack.files import Folder


@pytest.mark.parametrize("text", ["no", "'no'", "no # never"])
def test_restart_no_is_a_policy_and_not_a_boolean(folder: Folder, text: str) -> None:
    assert folder.one(f"restart: {text}").service().restart is RestartPolicy.NO


@pytest.mark.parametrize("text", ["22:22", "'22:22'", "80:80", "59:59"])
def test_a_port_is_never_a_sexagesimal_number(folder: Folder, text: str) -> None:
    port = int(text.strip("'").split(":")[0])
    assert folder.one(f"ports:\n  - {text}").service().ports == (PortMapping(container=port, host=port),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("010", "010"),
        ("0755", "0755"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("2026-11-23", "2026-11-23"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("'~'", "~"),
        ("''", ""),
        ("true", "true"),
        ("12:30:45", "12:30:45"),
        ("=", "="),
    ],
)
@pytest.mark.parametrize("dialect", ["one", "compose"])
def test_a_variable_holds_what_was_written(folder: Folder, dialect: str, written: str, meant: str) -> None:
    outcome = getattr(folder, dialect)(f"environment:\n  A: {written}")
    assert outcome.service().environment == {"A": meant}


def test_a_variable_without_a_value_is_filled_in_or_left_out(folder: Folder) -> None:
    keys = "environment: [A, B]"
    assert folder.one(keys, env={"A": "1"}).service().environment == {"A": "1"}
    assert folder.one("environment: {A: , B: ~}", env={"B": "2"}).service().environment == {"B": "2"}


def test_keys_that_look_like_booleans_stay_text(folder: Folder) -> None:
    spec = folder.load("on:\n  image: x\nyes:\n  image: x\n'123':\n  image: x\n").spec
    assert [service.name for service in spec.services] == ["on", "yes", "123"]


def test_anchors_and_merge_keys(folder: Folder) -> None:
    text = """
x-base: &base
  image: app:1
  restart: always
  environment: {A: "1"}
web:
  <<: *base
  restart: no
job:
  <<: [{image: app:2}, *base]
"""
    outcome = folder.load(text)
    assert outcome.service().restart is RestartPolicy.NO
    assert outcome.service().environment == {"A": "1"}
    assert outcome.service("job").image == "app:2"
    assert outcome.service("job").restart is RestartPolicy.ALWAYS


def test_a_duplicate_key_names_both_places(folder: Folder) -> None:
    outcome = folder.load("web:\n  image: a\n  image: b\n")
    (problem,) = outcome.loaded.problems
    assert (problem.code, problem.line, problem.column) == ("duplicate_key", 3, 3)
    assert "line 2, column 3" in problem.message


BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"", "empty_file", 1, 1),
        (b"# nothing\n", "empty_file", 1, 1),
        (b"---\n...\n", "not_a_map", 2, 1),
        (b"- a\n- b\n", "not_a_map", 1, 1),
        (b"just text\n", "not_a_map", 1, 1),
        (b"web:\n\timage: x\n", "yaml_syntax", 2, 1),
        (b"web: [a\n", "yaml_syntax", 2, 1),
        (b"web: 'a\n", "yaml_syntax", 2, 1),
        (b"a: 1\n---\nb: 2\n", "yaml_syntax", 2, 1),
        (b"web: *nowhere\n", "yaml_syntax", 1, 6),
        (b"web:\n  image: \xff\xfe\n", "not_utf8", 2, 10),
        (b"web: \x00\n", "yaml_syntax", 1, 6),
        (b"? [a]\n: b\n", "bad_key", 1, 3),
        (b"web: !python/object:os.system {}\n", "unknown_tag", 1, 6),
        (b"web: &a [*a]\n", "recursive_anchor", 1, 6),
        (b"web:\n  <<: text\n", "bad_merge_key", 2, 7),
        (b'web: "\\UFFFFFFFF"\n', "yaml_syntax", 0, 0),
        (BILLION.encode(), "too_many_values", 1, 8),
        (b"[" * 5000, "too_deep", 0, 0),
        (b"a: " + b"[" * 60 + b"]" * 60, "too_deep", 1, 43),
        (b"a: " + b"x" * 600_000, "file_too_large", 0, 0),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    data: bytes, code: str, line: int, column: int
) -> None:
    found: list[Problem] = []
    assert parse(data, "stack.yml", found) is None
    (problem,) = found
    assert (problem.code, problem.line, problem.column) == (code, line, column), problem


def test_a_byte_order_mark_is_no_fault() -> None:
    found: list[Problem] = []
    assert parse(b"\xef\xbb\xbfweb:\n  image: x\n", "stack.yml", found) is not None
    assert found == []


def test_a_tab_comes_with_advice(folder: Folder) -> None:
    outcome = folder.load("web:\n\timage: x\n")
    assert "spaces" in outcome.text
    assert str(folder.path / "stack.yml") + ":2:1: error:" in outcome.text


@pytest.mark.parametrize("name", ["missing.yml", "."])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    loaded = load([tmp_path / name], name=None, environment={})
    assert [problem.code for problem in loaded.problems] == ["file_unreadable"]
    assert loaded.spec is None


def test_no_file_at_all() -> None:
    assert [p.code for p in load([], name=None, environment={}).problems] == ["no_file"]
