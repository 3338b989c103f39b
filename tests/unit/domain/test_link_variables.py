"""Docker Cloud's link variables, by the example of its documentation."""

from __future__ import annotations

from bluegreen.domain.link_variables import link_variables


def test_the_first_instance_appears_with_and_without_its_number() -> None:
    found = link_variables("web-api", [("10.0.0.2", 80, 80), ("10.0.0.3", 31000, 80)], {"MODE": "fast"})
    assert found["WEB_API_PORT"] == found["WEB_API_1_PORT"] == "tcp://10.0.0.2:80"
    assert found["WEB_API_2_PORT_80_TCP"] == "tcp://10.0.0.3:31000"
    assert found["WEB_API_2_PORT_80_TCP_ADDR"] == "10.0.0.3"
    assert found["WEB_API_2_PORT_80_TCP_PORT"] == "31000"
    assert found["WEB_API_2_PORT_80_TCP_PROTO"] == "tcp"
    assert found["WEB_API_ENV_MODE"] == found["WEB_API_2_ENV_MODE"] == "fast"
    assert len(found) == 3 * 6


def test_nobody_has_no_variables_and_secrets_stay_where_they_are() -> None:
    assert link_variables("db", [], {"A": "b"}) == {}
    told = link_variables(
        "db", [("h", 1, 1)], {"DB_PASSWORD": "x", "api_token": "x", "URL": "x", "USER": "app"}, {"URL"}
    )
    assert "x" not in told.values()
    assert told["DB_ENV_USER"] == "app"
