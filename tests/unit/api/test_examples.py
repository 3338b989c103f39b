"""Whoever reads the description of the API sees what to send."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.api.access.rights import Operation
from bluegreen.api.app import create_app
from tests.unit.api.operations import CONTEXT, DESCRIBED

SCHEMAS: dict[str, Any] = create_app(CONTEXT).openapi()["components"]["schemas"]
BODIES = {
    operation: said["requestBody"]["content"]["application/json"]["schema"]
    for operation, said in DESCRIBED.items()
    if "requestBody" in said
}


def schemas(body: dict[str, Any]) -> list[str]:
    return [part["$ref"].rpartition("/")[2] for part in (body, *body.get("anyOf", ())) if "$ref" in part]


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_each_field_of_a_body_has_an_example_or_says_what_it_is_without(operation: Operation) -> None:
    for name in schemas(BODIES[operation]):
        for field, said in SCHEMAS[name]["properties"].items():
            refers = said.get("items", said).get("$ref")
            assert "examples" in said or "default" in said or refers, f"{name}.{field}"
