"""Docker's words, read as errors that say what to do."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError
from bluegreen.drivers.runtimes.docker import refusals
from bluegreen.drivers.runtimes.docker.gateway import open_gateway


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        ("Bind for 0.0.0.0:80 failed: port is already allocated", UserError, "port_taken"),
        ("listen tcp4 0.0.0.0:80: bind: address already in use", UserError, "port_taken"),
        ("listen tcp4 0.0.0.0:80: bind: permission denied", UserError, "port_forbidden"),
        ('exec: "x": executable file not found in $PATH: unknown', UserError, "start_failed"),
        ("write /var/lib/x: no space left on device", Temporary, "disk_full"),
        (
            "could not find an available, non-overlapping IPv4 address pool",
            Permanent,
            "network_pool_exhausted",
        ),
        ("all predefined address pools have been fully subnetted", Permanent, "network_pool_exhausted"),
        ("network bluegreen_shop is ambiguous (2 matches found on name)", Temporary, "network_ambiguous"),
        ("no available IPv4 addresses on this network's address pools", Permanent, "network_full"),
        ("No such image: x:1", UserError, "image_missing"),
    ],
)
def test_what_the_engine_says(words: str, kind: type[BluegreenError], code: str) -> None:
    error = refusals.of_daemon("instance a", 500, words)
    assert (type(error), error.code) == (kind, code)
    assert error.message.startswith("instance a: ")
    assert error.hint
    assert ("docker", words) in error.evidence


@pytest.mark.parametrize(("status", "kind"), [(500, Temporary), (503, Temporary), (400, Permanent)])
def test_what_nobody_foresaw_keeps_the_words(status: int, kind: type[BluegreenError]) -> None:
    error = refusals.of_daemon("instance a", status, "something new {braces}")
    assert isinstance(error, kind)
    assert "something new {braces}" in error.message


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("manifest for x:9 not found: manifest unknown", "image_missing"),
        (
            "pull access denied for x, repository does not exist or may require 'docker login'",
            "image_missing",
        ),
        ("unauthorized: incorrect username or password", "registry_unauthorized"),
        ("denied: requested access to the resource is denied", "registry_unauthorized"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "wrong_platform"),
        ("toomanyrequests: You have reached your pull rate limit", "registry_throttled"),
        ("Get https://r/v2/: dial tcp: lookup r: no such host", "registry_unreachable"),
        ("Get https://r/v2/: net/http: TLS handshake timeout", "registry_unreachable"),
        ("x509: certificate signed by unknown authority", "registry_unreachable"),
        ("http: server gave HTTP response to HTTPS client", "registry_unreachable"),
        ("write /x: no space left on device", "disk_full"),
        ("invalid reference format", "image_name_invalid"),
        ("something new", "pull_failed"),
    ],
)
def test_what_a_registry_says(words: str, code: str) -> None:
    error = refusals.of_pull("x:9", words)
    assert error.code == code
    assert "x:9" in error.message
    assert error.hint
    assert error.evidence == (("registry", words),)


@pytest.mark.parametrize("address", ["nonsense", "tcp//x", "ftp://host"])
def test_an_address_that_can_never_work_is_refused_before_anything_is_sent(address: str) -> None:
    async def main() -> None:
        async with open_gateway(address, 1.0):
            pass

    with pytest.raises(UserError) as refused:
        asyncio.run(main())
    assert refused.value.code == "docker_address_invalid"
    assert address in refused.value.evidence[0][1]
