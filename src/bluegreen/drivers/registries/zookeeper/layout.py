"""Where things are in ZooKeeper, and how an announcement is written there. Pure.

``<prefix>/<stack>/services/<service>/<instance>`` holds one announcement, and one document is in
``<prefix>/<stack>/documents/<key>``, with ``:`` for the slashes of its key (a node that lives only as long as
a session cannot have children, so documents lie flat).

An announcement is one JSON object. Its top level is what others read: ``host``, ``port``, ``name``,
``weight`` and ``labels`` as SmartStack's nerve writes and synapse reads them (weight 0 while draining),
``serviceEndpoint``, ``additionalEndpoints`` and ``status`` as members of a serverset have them. The whole
announcement is under ``bluegreen``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bluegreen.domain.announcement import Announcement
from bluegreen.drivers.registries.zookeeper.faults import refused

LARGEST = 1_000_000
"""Bytes. ZooKeeper drops the connection of who sends more than 1 MiB (``jute.maxbuffer``)."""

_WORD = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")
_ANNOUNCEMENT: TypeAdapter[Announcement] = TypeAdapter(Announcement)


class Layout:
    """The paths of one stack. Raises ``Permanent`` (``registry_refused``) for names that make no path."""

    def __init__(self, prefix: str, stack: str) -> None:
        self.stack = stack
        root = f"{prefix}/{_word(stack)}"
        self.services = f"{root}/services"
        self.documents = f"{root}/documents"

    def announcement(self, one: Announcement) -> str:
        return f"{self.services}/{_word(one.service)}/{_word(one.instance)}"

    def document(self, key: str) -> str:
        return f"{self.documents}/{':'.join(map(_word, key.split('/')))}"


def key_of(path: str) -> str:
    """Return the key of the document at ``path``."""
    return name_of(path).replace(":", "/")


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def encode_text(text: str, what: str) -> bytes:
    data = text.encode()
    if len(data) > LARGEST:
        raise refused(what, f"{len(data)} bytes are more than a node may have ({LARGEST})")
    return data


def encode(one: Announcement) -> bytes:
    """Return the content of an announcement's node: one line of JSON, the same for equal announcements."""
    labels = {"stack": one.stack, "service": one.service, "color": one.color, "release": str(one.release)}
    document = {
        "host": one.host,
        "port": one.port,
        "name": one.instance,
        "weight": 0 if one.draining else one.weight,
        "labels": labels,
        "serviceEndpoint": {"host": one.host, "port": one.port},
        "additionalEndpoints": {},
        "status": "STOPPING" if one.draining else "ALIVE",
        "bluegreen": _finite(asdict(one)),
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return encode_text(text, f"announcing {one.instance}")


def decode(path: str, data: bytes) -> Announcement:
    """Return the announcement of a node. Raises ``ValueError`` that says why it is none."""
    try:
        own = json.loads(data)["bluegreen"]
        found = _ANNOUNCEMENT.validate_python(own)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (KeyError, TypeError):
        raise ValueError("it lacks the part that bluegreen writes") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if found.instance != name_of(path):
        raise ValueError(f"it speaks of {found.instance}")
    if not (0 < found.port < 65536 and 0 <= found.weight <= 256 and found.host):
        raise ValueError(f"no such address or weight: {found.host}:{found.port} weight {found.weight}")
    return found


def _word(word: str) -> str:
    if _WORD.fullmatch(word) is None:
        raise refused(f"a node named {word!r}", "only letters, digits, '-', '_' and '.' make a name")
    return word


def _finite(value: Any) -> Any:
    """Write endless times as text: JSON has no word for them, and strict readers stumble."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
