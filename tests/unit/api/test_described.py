"""The API does what it says of itself: schemathesis makes requests of that, and checks the answers.

The requests are made first, by a fixed seed, and then sent to one world for each noun, which is made once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as conformance

from bluegreen.api.app import create_app
from bluegreen.domain.access import Role
from tests.unit.api.operations import CONTEXT, DESCRIBED, STREAMS, noun_of
from tests.unit.api.scene import Scene, play

SEED, EACH = 5, 6

CHECKS = [
    not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]

NOUNS = sorted({noun_of(path) for _, path in DESCRIBED})

SCHEMA = schemathesis.openapi.from_dict(create_app(CONTEXT).openapi())


def requests_of(noun: str) -> list[Case]:
    found: list[Case] = []
    for result in SCHEMA.get_all_operations():
        operation = result.ok()
        if noun_of(operation.path) != noun or (operation.method.upper(), operation.path) in STREAMS:
            continue
        for mode in GenerationMode:

            @seed(SEED)
            @settings(
                max_examples=EACH // 2,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy(generation_mode=mode))
            def collect(case: Case) -> None:
                found.append(case)

            with suppress(Unsatisfiable):  # there is nothing about it that could be wrong
                collect()
    return found


@pytest.mark.parametrize("noun", NOUNS)
def test_it_answers_as_it_is_described(noun: str) -> None:
    cases = requests_of(noun)

    async def story(scene: Scene) -> None:
        token = await scene.token(Role.ADMIN)
        for case in cases:
            sent: dict[str, Any] = case.as_transport_kwargs(base_url="http://box")
            sent = {key: value for key, value in sent.items() if value is not None and key != "cookies"}
            sent["headers"] = dict(sent.get("headers") or {}) | {"Authorization": f"Bearer {token}"}
            answer = await scene.client.request(**sent)
            case.validate_response(answer, checks=CHECKS)

    play(story)
