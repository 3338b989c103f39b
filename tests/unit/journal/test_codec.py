"""Documents of the journal: what goes in comes out, today and after the program has grown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from random import Random
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.events import Event
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.spec import ContainerOptions, ServiceSpec, config_hash
from bluegreen.ports.codec import UndecodableError, decode, encode
from bluegreen.ports.journal import StackRecord

STORED: tuple[type[Any], ...] = (StackRecord, ServiceRecord, Release, Rollout, Event)

TEXTS = ("", "web", "ä\u2028", "a\x00b", "\udc80", '"}', "1", "null")
NUMBERS = (0, 1, -1, 2**53 + 1)
TIMES = (0.0, 0.1, -1.5, 1e300, math.inf)


def example(kind: Any, random: Random) -> Any:
    """Return a value of ``kind`` with everything in it chosen at random.

    By hand, because Hypothesis needs minutes for dataclasses of this depth.
    """
    kind = getattr(kind, "__supertype__", kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{part.name: example(hints[part.name], random) for part in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return random.choice(list(kind))
    simple = {str: TEXTS, int: NUMBERS, float: TIMES, bool: (False, True), type(None): (None,)}
    return random.choice(simple[kind]) if kind in simple else _compound(kind, random)


def _compound(kind: Any, random: Random) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return example(random.choice(inner), random)
    if origin is tuple and inner[-1] is Ellipsis:
        return tuple(example(inner[0], random) for _ in range(random.randrange(3)))
    if origin is tuple:
        return tuple(example(part, random) for part in inner)
    if origin is frozenset:
        return frozenset(example(inner[0], random) for _ in range(random.randrange(3)))
    assert origin is Mapping, kind
    made = {example(inner[0], random): example(inner[1], random) for _ in range(random.randrange(3))}
    return random.choice((made, MappingProxyType(made)))


@pytest.mark.parametrize("kind", STORED)
@settings(max_examples=200, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_what_goes_in_comes_out(kind: type[Any], random: Random) -> None:
    value = example(kind, random)
    document = encode(value)
    assert decode(kind, document) == value
    assert document.isascii()
    assert "\n" not in document


def test_a_release_keeps_its_configuration_hash() -> None:
    spec = ServiceSpec(
        name="web",
        stop_grace=3.5,
        environment={"A": "1"},
        container=ContainerOptions(ulimits={"nofile": (1, 2)}),
    )
    assert config_hash(decode(ServiceSpec, encode(spec))) == config_hash(spec)


@settings(max_examples=200, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_any_service_keeps_its_hash_on_the_way_through_the_journal(random: Random) -> None:
    spec = example(ServiceSpec, random)
    assert config_hash(decode(ServiceSpec, encode(spec))) == config_hash(spec)


def test_infinite_times_survive() -> None:
    event = Event(kind="k", message="m", at=math.inf)
    assert decode(Event, encode(event)) == event


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    colors: tuple[str, ...] = ("blue",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Inner
    more: Mapping[str, int] = field(default_factory=dict)


def test_a_field_added_later_gets_its_default() -> None:
    assert decode(Outer, '{"inner": {"name": "a"}}') == Outer(inner=Inner(name="a"))


def test_a_field_of_a_newer_version_is_left_out() -> None:
    newer = json.loads(encode(Outer(inner=Inner(name="a"))))
    newer["later"] = 1
    newer["inner"]["later"] = {"x": []}
    assert decode(Outer, json.dumps(newer)) == Outer(inner=Inner(name="a"))


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("", "Expecting value"),
        ("[]", ""),
        ('{"inner": {}}', "inner.name"),
        ('{"inner": {"name": "a"}, "more": {"x": "y"}}', "more.x"),
    ],
)
def test_a_document_of_something_else_is_refused_by_place(document: str, where: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode(Outer, document)
    assert caught.value.wanted == "Outer"
    assert where in caught.value.detail


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a set"):
        encode(Event(kind="k", message="m", at=0.0, data={"x": {1}}))  # type: ignore[dict-item]
