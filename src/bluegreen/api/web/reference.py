"""The API's own page, made from its own description: needs no script, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from bluegreen.api.access import rights
from bluegreen.api.web import page

router = APIRouter(tags=["dashboard"], include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter or a field of the body. ``place`` is ``path``, ``query``, ``header`` or ``body``."""

    name: str
    place: str
    type: str
    needed: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """``anchor`` is unique on the page; ``role`` is who may."""

    method: str
    path: str
    anchor: str
    role: str
    summary: str
    words: str
    fields: tuple[Field, ...]


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show every operation of the API: who may, what it takes, what it does."""
    return page.render(request, "docs.html", nouns=_nouns(request.app.openapi()))


def _nouns(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations by their noun, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            noun = (told.get("tags") or ["others"])[0]
            found.setdefault(noun, []).append(_operation(document, method.upper(), path, told))
    return found


def _operation(document: Mapping[str, Any], method: str, path: str, told: Mapping[str, Any]) -> Operation:
    parameters = [
        Field(
            name=one["name"],
            place=one["in"],
            type=_type(one["schema"]),
            needed=one.get("required", False),
            words=one.get("description", ""),
        )
        for one in told.get("parameters", ())
    ]
    return Operation(
        method=method,
        path=path,
        anchor=told["operationId"],
        role=rights.needed((method, path)),
        summary=told.get("summary", ""),
        words=told.get("description", "").replace("``", ""),
        fields=(*parameters, *_body(document, told)),
    )


def _body(document: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the fields of the JSON body; of one with other shapes than an object, the body itself."""
    content = told.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    schema = _resolved(document, content["schema"])
    needed = set(schema.get("required", ()))
    for name, one in schema.get("properties", {}).items():
        yield Field(
            name=name,
            place="body",
            type=_type(one),
            needed=name in needed,
            words=one.get("description", "").replace("``", ""),
        )
    if "properties" not in schema:
        yield Field(name="body", place="body", type=_type(schema), needed=True, words="")


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = _name(schema)
    return document["components"]["schemas"][name] if name else schema


def _type(schema: Mapping[str, Any]) -> str:
    """Return a type in a few words: ``integer, at least 1``, ``list of string``, ``string or null``."""
    if name := _name(schema):
        return name
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(one) for one in choices))
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return " or ".join(str(one) for one in values)
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    bounds = [f"{words} {schema[key]}" for key, words in _BOUNDS.items() if key in schema]
    return ", ".join([kind, *bounds])


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "maxLength": "characters at most",
}


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
