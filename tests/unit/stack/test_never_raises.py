# ruff: noqa: E501 -- rows of a table stay on one line
"""Whatever a file holds, loading it returns problems and never raises."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import HealthCheck as Health
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.stack import Loaded, Severity, keys, load
from bluegreen.stack.balancer_env.table import SETTINGS

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[Health.too_slow])


def load_bytes(data: bytes, env: dict[str, str] | None = None) -> Loaded:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "stack.yml"
        file.write_bytes(data)
        loaded = load([file], name=None, environment=env or {}, publish={80: 8080})
    failed = any(problem.severity is Severity.ERROR for problem in loaded.problems)
    assert failed == (loaded.spec is None)
    assert all(problem.code and problem.message for problem in loaded.problems)
    return loaded


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    load_bytes(data)


FRAGMENTS = st.sampled_from(
    ["web", ":", " ", "\n", "  ", "image: x\n", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!reset ", "'", '"', "|\n",
     "? ", "services:\n", "x-bluegreen:\n", "links: [web]\n", "$", "${A:-b}", "#", "\t", "---\n", "%YAML 1.2\n", "!!binary ",
     "ports: ['80:80']\n", "haproxy", ","]
)  # fmt: skip


@QUICK
@given(st.lists(FRAGMENTS, max_size=30).map("".join))
def test_any_text_that_looks_like_yaml(text: str) -> None:
    load_bytes(text.encode())


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8),
    st.sampled_from(["80:80", "a:b", "db", "5m", "1g", "always", "OPTIONS /ping", "haproxy", "nginx", "a=b", "/x", "0", "-1", "*.a/b"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted({row.key.split(".")[0] for row in keys() if row.section == "service"} | {"x-bluegreen"})
INNER = sorted({part for row in keys() for part in row.key.split(".")})
SERVICE = st.dictionaries(
    st.sampled_from(KEYS), VALUES | st.dictionaries(st.sampled_from(INNER), VALUES, max_size=4), max_size=6
)
NAMES = st.sampled_from(["web", "web-green", "web-blue", "db", "lbx", "balancer", "x y"])


@QUICK
@given(st.dictionaries(NAMES, SERVICE | VALUES, max_size=4), st.booleans())
def test_any_values_under_known_keys(services: dict[str, Any], compose: bool) -> None:
    document: Any = {"services": services} if compose else services
    load_bytes(yaml.safe_dump(document).encode())


VARIABLES = st.sampled_from([setting.name.replace("#", "80") for setting in SETTINGS])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    [
        "check inter 2000",
        "80",
        "a,b",
        "connect 5",
        "option httplog",
        "a:b",
        "/x",
        "GET /",
        "mode http",
        "80:x",
        "a.b/c:1",
    ]
)


@QUICK
@given(st.dictionaries(VARIABLES, TEXTS, max_size=5), st.dictionaries(VARIABLES, TEXTS, max_size=4))
def test_any_variables_of_a_balancer_and_its_link(own: dict[str, str], linked: dict[str, str]) -> None:
    document = {
        "lbx": {"image": "haproxy", "links": ["web"], "ports": ["80:80", "443:443"], "environment": own},
        "web": {"image": "x", "environment": linked},
    }
    load_bytes(yaml.safe_dump(document).replace("$", "$$").encode())


@QUICK
@given(st.text(alphabet="${}AB:-?+ x", max_size=20))
def test_any_reference(text: str) -> None:
    load_bytes(yaml.safe_dump({"web": {"image": "x", "command": [text]}}).encode(), {"A": "${B}"})
