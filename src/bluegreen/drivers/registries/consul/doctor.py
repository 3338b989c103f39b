"""Is Consul fit for bluegreen? For ``bluegreen doctor``; changes nothing."""

from __future__ import annotations

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.registries.consul.client import Client, open_client
from bluegreen.drivers.registries.consul.options import Options

Finding = tuple[str, bool, str]
"""(what was checked, whether it is well, details and what to do)."""

OLDEST = (1, 8)


async def diagnose(options: Options) -> tuple[Finding, ...]:
    """Return what was found, most basic first. Never raises; stops at what makes the rest moot."""
    found: list[Finding] = []
    what = "consul"
    try:
        async with open_client(options) as client:
            for what, examine in (("consul", _agent), ("consul leader", _leader), ("consul rights", _rights)):
                found.append((what, *await examine(client, options.path)))
                if not found[-1][1]:
                    break
    except BluegreenError as refused:
        found.append((what, False, f"{refused.message}. {refused.hint}"))
    return tuple(found)


async def _agent(client: Client, _prefix: str) -> tuple[bool, str]:
    told = (await client.call("GET", "agent/self", what="asking the agent who it is")).json(dict)
    config = told.get("Config") or {}
    version = str(config.get("Version", ""))
    where = f"version {version}, node {config.get('NodeName')}, at {client.where}"
    parts = version.split(".")[:2]
    if all(part.isdecimal() for part in parts) and tuple(map(int, parts)) < OLDEST:
        return False, f"{where}: use 1.8 or newer"
    return True, where


async def _leader(client: Client, _prefix: str) -> tuple[bool, str]:
    leader = (await client.call("GET", "status/leader", what="asking for the leader")).words.strip('"')
    if leader:
        return True, leader
    return False, "there is none: see whether most of the servers are up (`consul operator raft list-peers`)"


async def _rights(client: Client, prefix: str) -> tuple[bool, str]:
    await client.read("catalog/services", what="reading the services")
    await client.call(
        "GET", f"kv/{prefix}/", what="reading the documents", params={"keys": ""}, accept=(404,)
    )
    return True, f"may read services and {prefix}/"
