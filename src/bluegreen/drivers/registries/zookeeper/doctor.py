"""Is ZooKeeper fit for bluegreen? For ``bluegreen doctor``; changes nothing."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

from kazoo.exceptions import NoAuthError, NoNodeError

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.registries.zookeeper.link import Link
from bluegreen.drivers.registries.zookeeper.options import Options

Finding = tuple[str, bool, str]
"""(what was checked, whether it is well, details and what to do)."""

WHAT = "examining it"


async def examine(options: Options) -> tuple[Finding, ...]:
    """Return what was found, most basic first. Never raises; stops at what makes the rest moot."""
    members = await asyncio.gather(*(_member(host, options.deadline) for host in options.address.split(",")))
    try:
        link = Link(options)
    except BluegreenError as error:
        return (*members, ("zookeeper", False, f"{error.message}. {error.hint}"))
    try:
        await link.one(WHAT, lambda client: client.exists_async("/"))
        session = ("zookeeper", True, f"a session with {options.address}")
        return (*members, session, await _rights(link, options))
    except BluegreenError as error:
        return (*members, ("zookeeper", False, f"{error.message} ({error.evidence[-1][1]}). {error.hint}"))
    finally:
        await link.close()


async def _member(host: str, deadline: float) -> Finding:
    """Ask one member for its version and role, with the command that servers answer unless told not to."""
    name = f"zookeeper {host}"
    address, _, port = host.rpartition(":")
    try:
        async with asyncio.timeout(deadline):
            text = await _srvr(address.strip("[]") or host, int(port) if address else 2181)
    except (OSError, ValueError) as error:
        return name, False, f"not reachable: {error or 'no answer in time'}"
    version = re.search(r"version: ([\w.]+)", text)
    mode = re.search(r"^Mode: (\w+)", text, re.MULTILINE)
    if version and mode:
        return name, True, f"version {version[1]}, {mode[1]}"
    if "not currently serving" in text:
        return name, False, "it runs but serves nobody: it has no quorum, or is starting"
    return name, True, "reachable; tells no version (`srvr` is not in its 4lw.commands.whitelist)"


async def _srvr(host: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"srvr")
        await writer.drain()
        return (await reader.read(65536)).decode(errors="replace")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _rights(link: Link, options: Options) -> Finding:
    """Try to write in a transaction that cannot succeed: it tells what is allowed and leaves no trace."""
    place = await _lowest_that_exists(link, options.prefix)
    who = "without credentials" if options.token is None else "with the credentials of `token`"

    def attempt(client: Any) -> Any:
        transaction = client.transaction()
        transaction.create(f"{place.rstrip('/')}/bluegreen-doctor", b"", ephemeral=True)
        transaction.check(f"{place.rstrip('/')}/bluegreen-doctor-never", 0)
        return transaction.commit_async()

    results = await link.one(WHAT, attempt)
    if any(isinstance(result, NoAuthError) for result in results):
        return "zookeeper rights", False, f"may not write in {place} {who}: set `token`, or mend the ACL"
    if any(isinstance(result, NoNodeError) for result in results):
        return "zookeeper rights", True, f"may write in {place} {who}"
    return "zookeeper rights", False, f"cannot write in {place} {who}: {results}"


async def _lowest_that_exists(link: Link, prefix: str) -> str:
    place = prefix
    while await link.one(WHAT, _exists(place)) is None:
        place = place.rpartition("/")[0] or "/"
    return place


def _exists(path: str) -> Any:
    return lambda client: client.exists_async(path)
