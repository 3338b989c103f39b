"""What Consul is told of an instance, and what is read back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.check import TCP_CHECK, CheckKind, HealthCheck
from bluegreen.drivers.registries.consul.entries import announcement_of, registration
from bluegreen.testing.registry_contract import announcement

TOLD = replace(announcement(1), port=8080)


def checks(check: HealthCheck, **changes: Any) -> list[dict[str, Any]]:
    body = registration("bluegreen", replace(TOLD, check=check, **changes), 3600.0).body
    found: list[dict[str, Any]] = body["Checks"]
    return found


def test_an_http_check_in_consuls_words() -> None:
    check = HealthCheck(
        path="/ping?full=1",
        method="HEAD",
        host="shop.example",
        headers=(("X-Check", "a"), ("X-Check", "b")),
        tls=True,
        port=9443,
        interval=5.0,
        timeout=0.5,
        rise=2,
        fall=3,
    )
    assert checks(check, host="fd00::1") == [
        {
            "CheckID": "bluegreen:shop:shop-web-r1-1:well",
            "Name": "shop-web-r1-1 answers",
            "Status": "passing",
            "HTTP": "https://[fd00::1]:9443/ping?full=1",
            "Method": "HEAD",
            "Header": {"X-Check": ["a", "b"], "Host": ["shop.example"]},
            "TLSSkipVerify": True,
            "Interval": "5s",
            "Timeout": "0.5s",
            "SuccessBeforePassing": 2,
            "FailuresBeforeCritical": 3,
            "DeregisterCriticalServiceAfter": "3600s",
        }
    ]


@pytest.mark.parametrize(
    "check",
    [TCP_CHECK, HealthCheck(expect=((200, 399),)), HealthCheck(expect=((404, 404),))],
    ids=["tcp", "redirects are well", "404 is well"],
)
def test_what_consul_would_misjudge_is_a_tcp_check(check: HealthCheck) -> None:
    (found,) = checks(check)
    assert found["TCP"] == "127.0.0.1:8080"
    assert "HTTP" not in found


@pytest.mark.parametrize("kind", [CheckKind.EXEC, CheckKind.NONE])
def test_what_consul_cannot_ask_it_is_not_told(kind: CheckKind) -> None:
    assert checks(HealthCheck(kind=kind)) == []


def test_who_was_forced_up_has_no_check() -> None:
    assert checks(TCP_CHECK, forced_up=True) == []


@pytest.mark.parametrize("changes", [{"draining": True}, {"weight": 0}])
def test_who_takes_no_requests_fails_one_check_that_forgets_nobody(changes: dict[str, Any]) -> None:
    _, resting = checks(TCP_CHECK, **changes)
    assert (resting["Status"], resting["TTL"]) == ("critical", "87600h")
    assert "DeregisterCriticalServiceAfter" not in resting


def test_a_change_of_the_check_alone_is_seen() -> None:
    one = registration("bluegreen", replace(TOLD, check=HealthCheck(path="/a")), None)
    other = registration("bluegreen", replace(TOLD, check=HealthCheck(path="/b")), None)
    shown = {"Service": "web", **one.body}
    assert one.is_held(shown)
    assert not other.is_held(shown)


@pytest.mark.parametrize(
    ("part", "value", "wrong"),
    [
        ("Port", 0, "address"),
        ("Address", "", "address"),
        ("Meta", None, "bluegreen-instance is missing"),
        ("Meta", {"bluegreen-color": "red"}, "red"),
        ("Meta", {"bluegreen-weight": "much"}, "much"),
    ],
)
def test_what_cannot_be_read_says_why(part: str, value: Any, wrong: str) -> None:
    whole = {"Service": "web", **registration("bluegreen", TOLD, None).body}
    spoilt = {**whole, part: {**whole["Meta"], **value} if isinstance(value, dict) else value}
    with pytest.raises(ValueError, match=wrong):
        announcement_of(spoilt)
