"""Field types of the models: how a key's text is read, named in the docs and shown in the schema.

Every value arrives as text, ``None``, a list or a dict (see :func:`tree.plain`), so a field type is
the one place that says what its text means. ``Label`` names the type for people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from bluegreen.domain.spec import PortMapping
from bluegreen.stack import scalars, values
from bluegreen.stack.problems import Invalid


@dataclass(frozen=True, slots=True)
class Label:
    """What the reference calls this type."""

    text: str


def _text(parse: Callable[[str], Any], label: str) -> PlainValidator:
    def read(value: object) -> Any:
        if not isinstance(value, str):
            raise Invalid(f"expected {label}, found {_found(value)}")
        return parse(value)

    return PlainValidator(read)


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else "a map" if isinstance(value, dict) else "text"


def _schema(*types: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": list(types) if len(types) > 1 else types[0], **more})


def _nonempty(text: str) -> str:
    if not text.strip():
        raise Invalid("the value is empty")
    return text


def positive(parse: Callable[[str], Any], least: float, what: str) -> Callable[[str], Any]:
    """Return ``parse`` with a lower bound."""

    def read(text: str) -> Any:
        value = parse(text)
        if value < least:
            raise Invalid(f"{text!r} is too small for {what}", f"the least is {least:g}")
        return value

    return read


def _line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise Invalid("expected one line of visible text")
    return text


_COUNT = positive(scalars.parse_int, 0, "a number")

Text = Annotated[str, _text(str, "text"), _schema("string", "number", "boolean"), Label("text")]
Word = Annotated[str, _text(_nonempty, "text"), _schema("string"), Label("text")]
Line = Annotated[str, _text(_line, "text"), _schema("string"), Label("one line of text")]
Bool = Annotated[bool, _text(scalars.parse_bool, "true or false"), _schema("boolean"), Label("true or false")]
Int = Annotated[int, _text(scalars.parse_int, "a number"), _schema("integer"), Label("whole number")]
Count = Annotated[int, _text(_COUNT, "a number"), _schema("integer", minimum=0), Label("whole number")]
CountOrOff = Annotated[
    int,
    _text(scalars.parse_count_or_off, "a number or off"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"enum": ["off", False]}]}),
    Label("whole number, or `off`"),
]
Cpus = Annotated[
    float,
    _text(positive(scalars.parse_float, 0.001, "a number of CPUs"), "a number of CPUs"),
    _schema("number", "string"),
    Label("number of CPUs"),
]
Size = Annotated[
    int,
    _text(scalars.parse_size, "a size"),
    _schema("string", "integer", examples=["512m", "1g", 1048576]),
    Label("size (`512m`, `1g`, bytes)"),
]
Memswap = Annotated[
    int,
    _text(scalars.parse_memswap, "a size"),
    _schema("string", "integer", examples=["1g", -1]),
    Label("size, or -1"),
]
Duration = Annotated[
    float,
    _text(scalars.parse_duration, "a duration"),
    _schema("string", "number", examples=["30s", "5m", "500ms", 30]),
    Label("duration (`30s`, `5m`, `1h30m`, seconds)"),
]
Cpuset = Annotated[
    str,
    _text(scalars.parse_cpuset, "a list of CPUs"),
    _schema("string", "integer", examples=["0,1", "0-3"]),
    Label("list of CPUs"),
]
FileMode = Annotated[
    int, _text(scalars.parse_mode, "a file mode"), _schema("integer", "string"), Label("octal mode")
]
PortNumber = Annotated[
    int,
    _text(scalars.parse_port_number, "a port"),
    _schema("integer", minimum=1, maximum=65535),
    Label("port"),
]
Ports = Annotated[
    tuple[PortMapping, ...],
    PlainValidator(lambda value: _port(value)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"], "examples": ["80:80", "127.0.0.1:8080:80", "53:53/udp"]},
                {"type": "object"},
            ]
        }
    ),
    Label('`"80:80"`'),
]
Expose = Annotated[
    tuple[PortMapping, ...],
    _text(values.parse_expose, "a port"),
    _schema("string", "integer"),
    Label('`"80"`'),
]
Link = Annotated[
    values.LinkText,
    _text(values.parse_link, "a link"),
    _schema("string", examples=["db", "db:database"]),
    Label("`service[:alias]`"),
]
Volume = Annotated[
    values.VolumeText,
    PlainValidator(lambda value: _volume(value)),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["data:/data"]}, {"type": "object"}]}),
    Label("`[source:]/path[:ro]`"),
]
Name = Annotated[str, _text(values.parse_name, "a name"), _schema("string"), Label("name")]
Host = Annotated[str, _text(values.parse_host, "a host name"), _schema("string"), Label("host name")]
Listen = Annotated[
    tuple[str, int | None],
    _text(values.parse_listen, "an address"),
    _schema("string", "integer"),
    Label("`[address:]port`"),
]
Expect = Annotated[
    tuple[int, int],
    _text(values.parse_expect, "a range of statuses"),
    _schema("string", "integer"),
    Label("status or range"),
]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Expects = Annotated[
    tuple[Expect, ...],
    BeforeValidator(_as_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"], "examples": [200, "200-399"]},
                {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
            ]
        }
    ),
    Label("status, range, or list of them"),
]


TextList = Annotated[
    tuple[Text, ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    Label("text, or list of text"),
]


def _command(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return scalars.parse_words(value)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise Invalid("expected a command line, or a list of words")


Command = Annotated[
    tuple[str, ...],
    PlainValidator(_command),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    Label("command line, or list of words"),
]


def _assignments(value: object) -> dict[str, str | None]:
    """Lists of ``K=V`` became maps in :mod:`merging`; anything else that is no map ends here."""
    if not isinstance(value, dict):
        raise Invalid("expected a map, or a list of NAME=value")
    for name, content in value.items():
        if not name or "=" in name or "\0" in name:
            raise Invalid(f"{name!r} is not a name", "write NAME=value or NAME: value")
        if not isinstance(content, str | None):
            raise Invalid(f"the value of {name} must be text, found {_found(content)}")
    return value


_ASSIGNMENTS_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
            {"type": "array", "items": {"type": "string"}},
        ]
    }
)
Assignments = Annotated[
    dict[str, str | None],
    PlainValidator(_assignments),
    _ASSIGNMENTS_SCHEMA,
    Label("map, or list of `NAME=value`"),
]


def _names(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("expected a list of names, or a map")
    return value


NameMap = Annotated[
    dict[str, Any],
    PlainValidator(_names),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]}),
    Label("list of names, or map"),
]


def _port(value: object) -> tuple[PortMapping, ...]:
    if isinstance(value, str):
        return values.parse_ports(value)
    if not isinstance(value, dict) or not isinstance(value.get("target"), str):
        raise Invalid("expected a port", 'write "80:80", or a map with target and published')
    unknown = set(value) - {"target", "published", "protocol", "mode", "host_ip", "name", "app_protocol"}
    if unknown:
        raise Invalid(
            f"unknown key {min(unknown)!r} in a port", "Allowed: target, published, protocol, host_ip"
        )
    if not all(isinstance(part, str) for part in value.values()):
        raise Invalid("the parts of a port must be text")
    host = f"[{value['host_ip']}]:" if "host_ip" in value else ""
    published = f"{value['published']}:" if "published" in value else ""
    return values.parse_ports(f"{host}{published}{value['target']}/{value.get('protocol', 'tcp')}")


def _volume(value: object) -> values.VolumeText:
    if isinstance(value, str):
        return values.parse_volume(value)
    if not isinstance(value, dict) or not isinstance(value.get("target"), str):
        raise Invalid("expected a volume", "write data:/data, or a map with type, source and target")
    if value.get("type", "volume") not in ("bind", "volume"):
        raise Invalid(
            f"volumes of type {value['type']!r} are not supported", "Allowed: bind, volume; see `tmpfs`"
        )
    source = value.get("source")
    if source is not None and not isinstance(source, str):
        raise Invalid("the source of a volume must be text")
    read_only = value.get("read_only")
    return values.VolumeText(
        value["target"], source, isinstance(read_only, str) and scalars.parse_bool(read_only)
    )
