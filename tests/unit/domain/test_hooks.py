"""What a hook's signature proves, and which images it lets in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain import hooks
from bluegreen.domain.hooks import Message

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
MESSAGE = Message(
    id="msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp="1614265330",
    signatures="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    body=BODY,
)
"""The vector that the libraries of Standard Webhooks are tested with."""


def test_a_signature_is_that_of_standard_webhooks() -> None:
    assert hooks.sign(SECRET, MESSAGE.id, MESSAGE.timestamp, BODY) == MESSAGE.signatures
    assert hooks.proves(MESSAGE, SECRET)


def test_one_of_several_signatures_is_enough() -> None:
    several = f"v1,AAAA v2,whatever {MESSAGE.signatures}"
    assert hooks.proves(replace(MESSAGE, signatures=several), SECRET)
    late = f"{'v1,AAAA ' * hooks.MOST_SIGNATURES}{MESSAGE.signatures}"
    assert not hooks.proves(replace(MESSAGE, signatures=late), SECRET)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "msg_other"},
        {"timestamp": "1614265331"},
        {"body": BODY + b" "},
        {"signatures": MESSAGE.signatures.replace("v1,", "v1a,")},
        {"signatures": MESSAGE.signatures[:-2]},
        {"signatures": "v1,ü\udcff"},
    ],
    ids=str,
)
def test_nothing_signed_may_be_changed(changed: dict[str, object]) -> None:
    assert not hooks.proves(replace(MESSAGE, **changed), SECRET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [{"id": ""}, {"id": "a.b"}, {"id": "a b"}, {"id": "ü"}, {"timestamp": "1e9"}, {"timestamp": "٣"}],
)
def test_what_could_be_read_in_two_ways_is_none(changed: dict[str, str]) -> None:
    assert MESSAGE.well_formed
    assert not replace(MESSAGE, **changed).well_formed


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("host:5000/shop/web:2", True),
        ("host:5000/shop/web@sha256:00", True),
        ("host:5000/shop/web", True),
        ("shop/web:2", False),
        ("host:5000/shop/web-evil:2", False),
        ("host:5000/shop/web/evil:2", False),
        ("evil/host:5000/shop/web:2", False),
    ],
)
def test_without_patterns_the_repository_of_the_service_is_what_it_may_release(
    image: str, allowed: bool
) -> None:
    hook = hooks.issue("ci", "shop", "web", 0.0)
    assert hooks.may_release(hook, image, "host:5000/shop/web:1@sha256:11") is allowed
    assert not hooks.may_release(hook, image, None)


def test_patterns_say_it_all() -> None:
    hook = hooks.issue("ci", "shop", "web", 0.0, images=("shop/web:1.*", "other/web:*"))
    found = [
        i for i in ("shop/web:1.4", "shop/web:2", "other/web:9") if hooks.may_release(hook, i, "shop/web:1")
    ]
    assert found == ["shop/web:1.4", "other/web:9"]
