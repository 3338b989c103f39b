"""Documents as keys of Consul: ``<prefix>/<stack>/<key>``. Their version is the key's ``ModifyIndex``."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import Any

from bluegreen.domain.announcement import Document
from bluegreen.drivers.registries.consul import refusals
from bluegreen.drivers.registries.consul.client import Client

LARGE = 128 * 1024
"""Bytes from which a text is compressed: Consul takes half a megabyte, and a large structure has more."""

COMPRESSED = 1
"""The key's ``Flags`` when its value is compressed with zlib."""


class Documents:
    """The documents below ``prefix``."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def folder(self, stack: str) -> str:
        return f"kv/{self._prefix}/{stack}/"

    async def read(self, stack: str) -> tuple[dict[str, Document], list[str]]:
        """Return the documents of ``stack`` by key, and in words those that cannot be read."""
        answer = await self._client.call(
            "GET",
            self.folder(stack),
            what=f"reading the documents of {stack}",
            params={"recurse": "", "consistent": ""},
            accept=(404,),
        )
        if answer.status == 404 and not answer.raw.strip():
            return {}, []
        if answer.status == 404:
            raise refusals.of_status(answer.where, answer.what, 404, answer.words)
        return _decoded(answer.json(list), len(self.folder(stack)) - len("kv/"))

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        """See :meth:`bluegreen.ports.registry.Registry.write`. A transaction, as that tells the version."""
        value, flags = encode(text)
        change: dict[str, object] = {
            "Verb": "set" if expected is None else "cas",
            "Key": f"{self._prefix}/{stack}/{key}",
            "Value": base64.b64encode(value).decode(),
            "Flags": flags,
        }
        if expected is not None:
            change["Index"] = expected
        what = f"writing {key} of {stack}"
        answer = await self._client.call("PUT", "txn", what=what, body=[{"KV": change}], accept=(409,))
        told = answer.json(dict)
        if answer.status == 409:
            raise refusals.of_transaction(answer.where, what, _reasons(told))
        try:
            return int(told["Results"][0]["KV"]["ModifyIndex"])
        except (KeyError, IndexError, TypeError, ValueError):
            raise refusals.down(answer.where, what, f"no version in {answer.words[:200]!r}") from None


def encode(text: str) -> tuple[bytes, int]:
    """Return ``text`` as a value of Consul, and its ``Flags``."""
    value = text.encode()
    return (zlib.compress(value), COMPRESSED) if len(value) > LARGE else (value, 0)


def _decoded(rows: Iterable[Any], skipped: int) -> tuple[dict[str, Document], list[str]]:
    found: dict[str, Document] = {}
    malformed = []
    for row in rows:
        key = str(row.get("Key", ""))[skipped:] if isinstance(row, dict) else ""
        if not key:
            continue  # the folder itself, as Consul's own pages make it
        try:
            value = base64.b64decode(row["Value"] or b"", validate=True)
            if row.get("Flags") == COMPRESSED:
                value = zlib.decompress(value)
            found[key] = Document(value.decode(), int(row["ModifyIndex"]))
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            malformed.append(f"{key}: not a document: {error}")
    return found, malformed


def _reasons(told: dict[str, Any]) -> str:
    errors: list[dict[str, Any]] = told.get("Errors") or []
    return "; ".join(str(error.get("What", error)) for error in errors)
