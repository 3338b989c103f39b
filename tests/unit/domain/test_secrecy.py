"""What is secret, what is shown in its place, and how it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain import secrecy
from bluegreen.domain.errors import UserError
from bluegreen.domain.rollout import Reason
from bluegreen.domain.secrecy import MASK
from bluegreen.domain.spec import ServiceSpec, config_hash

WEB = ServiceSpec(
    name="web",
    environment={"DB_PASSWORD": "hunter22", "DATABASE_URL": "postgres://app:pw@db", "MODE": "fast"},
    secrets=frozenset({"DATABASE_URL"}),
)
SHOWN = {"DB_PASSWORD": MASK, "DATABASE_URL": MASK, "MODE": "fast"}


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "passwd",
        "MYSQL_PASS",
        "CLIENT_SECRET",
        "API_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "apikey",
        "KEY",
    ],
)
def test_a_name_gives_it_away(name: str) -> None:
    assert secrecy.is_secret(name)


@pytest.mark.parametrize("name", ["MODE", "KEYCLOAK_URL", "PASSENGER_PORT", "COMPASS", "BYPASS_CACHE"])
def test_other_names_are_shown_unless_they_are_marked(name: str) -> None:
    assert not secrecy.is_secret(name)
    assert secrecy.is_secret(name, {name})


def test_what_is_shown_comes_back_as_it_is() -> None:
    shown = replace(WEB, environment=secrecy.masked(WEB.environment, WEB.secrets))
    assert shown.environment == SHOWN
    assert secrecy.restored(shown, WEB) == WEB
    changed = replace(shown, environment={**shown.environment, "DB_PASSWORD": "other", "MODE": MASK})
    assert secrecy.restored(changed, WEB).environment == {
        **WEB.environment,
        "DB_PASSWORD": "other",
        "MODE": MASK,
    }
    unmarked = replace(shown, secrets=frozenset())
    with pytest.raises(UserError, match="DATABASE_URL of web is no longer marked") as refused:
        secrecy.restored(unmarked, WEB)
    assert refused.value.code == "secret_unknown"
    said = replace(unmarked, environment={**unmarked.environment, "DATABASE_URL": "postgres://new"})
    assert secrecy.restored(said, WEB).environment["DATABASE_URL"] == "postgres://new"
    for known in (None, replace(WEB, environment={"DB_PASSWORD": "hunter22"})):
        with pytest.raises(UserError, match="DATABASE_URL") as refused:
            secrecy.restored(shown, known)
        assert refused.value.code == "secret_unknown"


def test_to_mark_a_variable_is_no_new_release() -> None:
    assert config_hash(WEB) == config_hash(replace(WEB, secrets=frozenset()))


def test_values_are_struck_out_the_longest_first_and_short_ones_left() -> None:
    known = secrecy.values(
        [WEB, None, replace(WEB, environment={"TOKEN": "hunter2255", "PIN_SECRET": "12345"})]
    )
    assert known == {"hunter22", "hunter2255", "postgres://app:pw@db"}
    assert secrecy.struck("hunter2255 hunter22! 12345", known) == f"{MASK} {MASK}! 12345"
    reason = Reason(code="c", message="m hunter22", evidence=(("log", "l hunter22"),), hint="h hunter22")
    said = secrecy.struck_reason(reason, known)
    assert (said.message, said.evidence, said.hint) == (f"m {MASK}", (("log", f"l {MASK}"),), f"h {MASK}")
