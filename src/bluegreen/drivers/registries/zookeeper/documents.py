"""Documents: nodes that stay, changed by compare-and-set.

A document's version is the number of the transaction that wrote it (``mzxid``). Unlike ZooKeeper's own count,
which begins at 0 again when a node is deleted and made anew, it only grows, over the whole ensemble.
"""

from __future__ import annotations

from typing import Any

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from bluegreen.domain.announcement import Document
from bluegreen.drivers.registries.zookeeper.faults import conflict
from bluegreen.drivers.registries.zookeeper.layout import Layout, encode_text, key_of
from bluegreen.drivers.registries.zookeeper.nodes import TRIES, Nodes


async def read_documents(nodes: Nodes, layout: Layout) -> tuple[dict[str, Document], list[str]]:
    """Return the documents by key, and what is to be told of those that are no text."""
    what = f"listing {layout.stack}"
    found: dict[str, Document] = {}
    malformed: list[str] = []
    for path, node in (await nodes.read(what, await nodes.children(what, [layout.documents]))).items():
        try:
            found[key_of(path)] = Document(node.data.decode(), node.changed_at)
        except UnicodeDecodeError as error:
            malformed.append(f"{path}: it is not text: {error.reason}")
    return found, malformed


async def write_document(nodes: Nodes, layout: Layout, key: str, text: str, expected: int | None) -> int:
    """Write the document if its version is ``expected`` (``None``: whatever it is). Return its new version.

    A write whose answer never came may still be done, late; that one too names the version it saw, so that it
    undoes nothing that was written since. Raises ``Temporary`` (``registry_down``, ``conflict``).
    """
    what = f"writing {key} of {layout.stack}"
    path, data = layout.document(key), encode_text(text, what)
    for _ in range(TRIES):
        stat = await nodes.link.one(what, lambda client: client.exists_async(path))
        found = 0 if stat is None else int(stat.mzxid)
        if expected not in (None, found):
            raise conflict(layout.stack, key, expected, found)
        try:
            return await _put(nodes, what, path, data, stat)
        except NoNodeError:
            await nodes.make_parents(what, [path])
        except (BadVersionError, NodeExistsError):
            continue
    raise conflict(layout.stack, key, expected, found)


async def _put(nodes: Nodes, what: str, path: str, data: bytes, stat: Any) -> int:
    if stat is None:
        made = await nodes.link.one(what, lambda client: client.create_async(path, data, include_data=True))
        return int(made[1].mzxid)
    written = await nodes.link.one(what, lambda client: client.set_async(path, data, version=stat.version))
    return int(written.mzxid)
