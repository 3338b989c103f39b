"""What is shown of a definition, and how it comes back: environments, certificates, accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain import balancer_secrecy
from bluegreen.domain.concealment import concealed, restored
from bluegreen.domain.errors import UserError
from bluegreen.domain.release import Release
from bluegreen.domain.routing import Globals, Listener, Stats, Tls
from bluegreen.domain.secrecy import MASK
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import BalancerSpec, StackSpec

WEB = ServiceSpec(name="web", environment={"DB_PASSWORD": "hunter22", "MODE": "fast"})
CHAIN = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
OTHER = CHAIN.replace("MIIB", "MIIC")


def key(label: str, body: str = "c2VjcmV0") -> str:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


PEMS = (CHAIN + key("PRIVATE KEY"), key("RSA PRIVATE KEY") + OTHER, OTHER + key("EC PRIVATE KEY"))
LB = BalancerSpec(
    name="lb",
    listeners=(
        Listener(
            port=443, tls=Tls(certificates=PEMS, client_ca=CHAIN), basic_auth=(("ana", "correct horse"),)
        ),
        Listener(port=80),
    ),
    settings=Globals(stats=(Stats(port=1936, user="stats", password="battery"), Stats(port=1937))),
)
STACK = StackSpec(name="shop", services=(WEB,), balancers=(LB,))


def test_every_definition_is_concealed_wherever_it_is() -> None:
    release = Release(
        stack="shop", service="web", number=1, spec=WEB, image="web:1", config_hash="", created_at=0.0
    )
    shown = {"DB_PASSWORD": MASK, "MODE": "fast"}
    assert concealed(WEB).environment == shown
    assert concealed(STACK).services[0].environment == shown
    assert concealed(release).spec.environment == shown
    assert concealed("hunter22") == "hunter22"


def test_keys_and_passwords_of_a_balancer_are_hidden_and_its_certificates_shown() -> None:
    (shown,) = concealed(STACK).balancers
    assert shown == concealed(LB)
    for word in ("c2VjcmV0", "PRIVATE KEY", "correct horse", "battery"):
        assert word not in repr(shown)
    tls, (page, bare) = shown.listeners[0].tls, shown.settings.stats
    assert tls is not None
    assert tls.certificates == (f"{CHAIN}{MASK}\n", f"{MASK}\n{OTHER}", f"{OTHER}{MASK}\n")
    assert tls.client_ca == CHAIN
    assert shown.listeners[0].basic_auth == (("ana", MASK),)
    assert (page.password, bare.password) == (MASK, None)


def test_what_is_shown_comes_back_as_it_is() -> None:
    assert restored(concealed(STACK), STACK) == STACK
    assert restored(STACK, None) == STACK
    secure, plain = concealed(LB).listeners
    moved = replace(concealed(LB), listeners=(replace(secure, port=8443), plain))
    (back,) = restored(replace(STACK, balancers=(moved,)), STACK).balancers
    assert back.listeners[0] == replace(LB.listeners[0], port=8443)
    said = replace(concealed(LB), listeners=(replace(secure, basic_auth=(("ana", "another"),)), plain))
    (new,) = restored(replace(STACK, balancers=(said,)), STACK).balancers
    assert new.listeners[0].basic_auth == (("ana", "another"),)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (None, "the key of a certificate of lb"),
        (
            replace(LB, listeners=(Listener(port=443, tls=Tls(certificates=PEMS)),)),
            "the password of ana of lb",
        ),
        (replace(LB, settings=Globals()), "the password of stats of lb"),
    ],
)
def test_a_mask_that_stands_for_nothing_is_refused(known: BalancerSpec | None, told: str) -> None:
    before = StackSpec(name="shop", services=(WEB,), balancers=() if known is None else (known,))
    with pytest.raises(UserError, match=told) as refused:
        restored(concealed(STACK), before)
    assert refused.value.code == "secret_unknown"


def test_one_user_has_a_password_of_his_own_on_each_port() -> None:
    doors = tuple(Listener(port=p, basic_auth=(("admin", f"listener {p}"),)) for p in (80, 81))
    settings = Globals(stats=(Stats(port=1936, user="admin", password="the statistics"),))
    many = replace(LB, listeners=doors, settings=settings)
    stack = replace(STACK, balancers=(many,))
    assert restored(concealed(stack), stack) == stack
    assert balancer_secrecy.values(many) == {"listener 80", "listener 81", "the statistics"}
    moved = replace(concealed(many), listeners=(replace(concealed(many).listeners[0], port=82), doors[1]))
    with pytest.raises(UserError, match="the password of admin") as refused:
        restored(replace(stack, balancers=(moved,)), stack)
    assert refused.value.code == "secret_unknown"


def test_passwords_of_accounts_are_struck_out_of_texts() -> None:
    assert balancer_secrecy.values(LB) == {"correct horse", "battery"}
