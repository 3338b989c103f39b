"""Variables in values, ``.env`` and ``env_file``."""

import pytest

from bluegreen.stack import Problem
from bluegreen.stack.dotenv import parse_env
from bluegreen.stack.interpolation import Interpolator
from bluegreen.stack.problems import Invalid
from tests.unit.stack.files import Folder

VALUES = {"SET": "v", "EMPTY": "", "OTHER": "o"}


def expand(text: str, unset: list[str] | None = None) -> str:
    return Interpolator(VALUES, (unset if unset is not None else []).append).expand(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$SET", "v"),
        ("${SET}", "v"),
        ("a$SET-b", "av-b"),
        ("$$SET", "$SET"),
        ("$$$SET", "$v"),
        ("$$$$", "$$"),
        ("${SET:-d}", "v"),
        ("${UNSET:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${UNSET-d}", "d"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:b-c}", "a:b-c"),
        ("${UNSET:-${OTHER}}", "o"),
        ("${UNSET:-${ALSO:-x}y}", "xy"),
        ("${SET:+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${EMPTY+alt}", "alt"),
        ("${UNSET+alt}", ""),
        ("${SET:?why}", "v"),
        ("${EMPTY?why}", ""),
    ],
)
def test_a_reference_becomes_its_value(text: str, result: str) -> None:
    assert expand(text) == result


def test_an_unset_name_is_told() -> None:
    unset: list[str] = []
    assert expand("$A${B}${C:-}", unset) == ""
    assert unset == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    [
        "$",
        "a$",
        "$5",
        "${",
        "${}",
        "${5}",
        "${A",
        "${A!b}",
        "${A b}",
        "${UNSET:?}",
        "${EMPTY:?why}",
        "${A:-${B}",
    ],
)
def test_a_reference_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        expand(text)


def test_the_reason_of_a_required_variable_is_shown(folder: Folder) -> None:
    outcome = folder.load("web:\n  image: ${IMAGE:?name the image}\n")
    assert outcome.errors == ["bad_variable"]
    assert "the variable IMAGE is required: name the image" in outcome.text
    assert "stack.yml:2:10" in outcome.text


@pytest.mark.parametrize("dialect", ["one", "compose"])
def test_an_unset_variable_is_a_warning_and_empty(folder: Folder, dialect: str) -> None:
    outcome = getattr(folder, dialect)("environment: {A: 'x${NOPE}y', B: $NOPE}")
    assert outcome.service().environment == {"A": "xy", "B": ""}
    assert outcome.codes == ["variable_unset"]


def test_a_dotenv_file_lies_below_the_environment(folder: Folder) -> None:
    folder.write(".env", "TAG=from-file\nOTHER=kept\n")
    outcome = folder.load("web:\n  image: app:$TAG\n  environment: {O: $OTHER}\n", env={"TAG": "from-shell"})
    assert outcome.service().image == "app:from-shell"
    assert outcome.service().environment == {"O": "kept"}


def env(text: str, **outer: str) -> dict[str, str]:
    found: list[Problem] = []
    values = parse_env(text, "x.env", outer, found)
    assert found == []
    return values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("# c\n\n  # d\nA=1", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("A = spaced out  ", {"A": "spaced out"}),
        ("A=x # comment", {"A": "x"}),
        ("A=x#y", {"A": "x#y"}),
        ("A=", {"A": ""}),
        ("A='$X # y'", {"A": "$X # y"}),
        ('A="a\\nb\\"c"', {"A": 'a\nb"c'}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ('A="\\$X"', {"A": "$X"}),
        ("A: 1", {"A": "1"}),
        ("FROM", {}),
    ],
)
def test_env_files(text: str, values: dict[str, str]) -> None:
    assert env(text) == values


def test_a_bare_name_in_an_env_file_is_filled_in() -> None:
    assert env("HOME\nNOPE", HOME="/h") == {"HOME": "/h"}


@pytest.mark.parametrize("text", ["A='open", "=1", "A B", "1A=2"])
def test_a_faulty_line_is_reported_and_the_others_are_read(text: str) -> None:
    found: list[Problem] = []
    values = parse_env(f"X=1\n{text}\n", "x.env", {}, found)
    assert values == {"X": "1"}
    assert [(problem.code, problem.line) for problem in found] == [("bad_env_file", 2)]


def test_env_file_lies_below_environment_and_is_relative_to_its_file(folder: Folder) -> None:
    folder.write("conf/a.env", "A=file\nB=file\n")
    folder.write("conf/b.env", "B=second\n")
    outcome = folder.compose(
        "env_file: [conf/a.env, conf/b.env, {path: nope.env, required: false}]\nenvironment: {A: own}"
    )
    assert outcome.service().environment == {"A": "own", "B": "second"}
    assert outcome.codes == []


def test_a_missing_env_file_is_an_error(folder: Folder) -> None:
    outcome = folder.compose("env_file: nope.env")
    assert outcome.errors == ["file_unreadable"]
