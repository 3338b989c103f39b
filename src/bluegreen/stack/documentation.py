"""The models seen from outside: the JSON Schema for editors and the rows of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from bluegreen.stack.fields import Label
from bluegreen.stack.layers import Dialect
from bluegreen.stack.models.compose import ComposeService, ComposeTop
from bluegreen.stack.models.docker_cloud import DockerCloudService
from bluegreen.stack.models.own import OwnKeys
from bluegreen.stack.models.support import Keys, Support
from bluegreen.stack.scalars import format_duration
from bluegreen.stack.validation import models_in

_DURATION = "duration"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDoc:
    """One row of the reference. ``dialect`` is ``docker-cloud``, ``compose`` or ``x-bluegreen``;
    ``section`` is ``service`` or ``top level``; ``key`` is dotted for nested keys."""

    dialect: str
    section: str
    key: str
    type: str
    default: str
    support: Support
    text: str


def key_docs() -> list[KeyDoc]:
    rows = _rows(DockerCloudService, Dialect.DOCKER_CLOUD.value, "service")
    rows += _rows(ComposeTop, Dialect.COMPOSE.value, "top level")
    rows += _rows(ComposeService, Dialect.COMPOSE.value, "service")
    return rows + _rows(OwnKeys, "x-bluegreen", "service")


def _rows(model: type[Keys], dialect: str, section: str, prefix: str = "") -> list[KeyDoc]:
    rows = []
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        extra = field.json_schema_extra
        support = Support(str(extra["x-support"])) if isinstance(extra, Mapping) else Support.SUPPORTED
        rows.append(
            KeyDoc(
                dialect=dialect,
                section=section,
                key=key,
                type=type_label(field),
                default=_default(field),
                support=support,
                text=field.description or "",
            )
        )
        for inner in models_in(field.annotation):
            if inner is not OwnKeys:
                rows += _rows(inner, dialect, section, f"{key}.")
    return rows


def type_label(field: FieldInfo) -> str:
    """Return what a person would call the type of a key's value."""
    for extra in field.metadata:
        if isinstance(extra, Label):
            return extra.text
    return _label(field.annotation)


def _label(annotation: Any) -> str:
    named = [extra.text for extra in getattr(annotation, "__metadata__", ()) if isinstance(extra, Label)]
    if named:
        return named[0]
    origin, arguments = (
        get_origin(annotation),
        [a for a in get_args(annotation) if a not in (type(None), ...)],
    )
    if hasattr(annotation, "__metadata__"):
        return _label(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        return f"list of {_label(arguments[0])}"
    if origin is dict:
        return "map"
    if arguments:
        return _label(arguments[0])
    return "map" if isinstance(annotation, type) and issubclass(annotation, Keys) else "any"


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default in ((), {}, ""):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float) and _DURATION in type_label(field):
        return format_duration(default)
    if isinstance(default, tuple):
        return {(100,): "bluegreen", (200, 299): "200-299"}.get(default, str(default[0]))
    return str(default)


def json_schema() -> dict[str, Any]:
    """Return one schema that accepts either dialect."""
    models: list[type[Keys]] = [ComposeTop, ComposeService, DockerCloudService]
    _, whole = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = whole["$defs"]
    for definition in definitions.values():
        definition["patternProperties"] = {"^x-": {}}
        for schema in definition.get("properties", {}).values():
            _tidy(schema)
    services = {"type": "object", "additionalProperties": {"$ref": "#/$defs/ComposeService"}}
    compose = definitions["ComposeTop"]
    compose["properties"]["services"] = {**services, "description": "The services, by name."}
    compose["required"] = ["services"]
    docker_cloud = {
        "type": "object",
        "patternProperties": {"^x-": {}, "^(?!x-)": {"$ref": "#/$defs/DockerCloudService"}},
        "not": {"required": ["services"]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bluegreen stack file",
        "anyOf": [{"$ref": "#/$defs/ComposeTop"}, docker_cloud],
        "$defs": definitions,
    }


def _tidy(schema: dict[str, Any]) -> None:
    """Drop what pydantic adds for programs; let editors strike out what is not carried out."""
    schema.pop("title", None)
    schema.pop("default", None)
    if schema.pop("x-support", Support.SUPPORTED.value) != Support.SUPPORTED.value:
        schema["deprecated"] = True
