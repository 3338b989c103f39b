"""What the Engine says, read as instances and events."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.domain.instance import InstanceState, RuntimeEventKind
from bluegreen.domain.naming import Color
from bluegreen.drivers.runtimes.docker import reading

LABELS = {
    "bluegreen.stack": "shop",
    "bluegreen.service": "web",
    "bluegreen.release": "3",
    "bluegreen.color": "blue",
    "bluegreen.index": "2",
    "bluegreen.config-hash": "abc",
    "bluegreen.port": "3000",
}


def container(**changes: Any) -> dict[str, Any]:
    state = {
        "Status": "running",
        "StartedAt": "2030-01-02T03:04:05.123456789Z",
        "ExitCode": 0,
        "OOMKilled": False,
        "Error": "",
    }
    networks = {"bluegreen_shop": {"IPAddress": "10.1.2.3"}, "other": {"IPAddress": "10.9.9.9"}}
    return {
        "Id": "0123456789abcdef",
        "Name": "/shop-web-r3-2",
        "RestartCount": changes.get("restarts", 0),
        "Config": {"Labels": LABELS | changes.get("labels", {}), "Image": "sha256:abc"},
        "HostConfig": {"NetworkMode": changes.get("mode", "bluegreen_shop")},
        "State": state | changes.get("state", {}),
        "NetworkSettings": {"Networks": changes.get("networks", networks)},
    }


def test_a_running_container_is_read_from_its_labels_and_state() -> None:
    found = reading.instance(container())
    assert (found.name, found.stack, found.service) == ("shop-web-r3-2", "shop", "web")
    assert (found.release, found.index, found.color, found.config_hash) == (3, 2, Color.BLUE, "abc")
    assert (found.state, found.host, found.port) == (InstanceState.RUNNING, "10.1.2.3", 3000)
    assert found.started_at == pytest.approx(1893553445.123456)
    assert (found.exit_code, found.oom_killed, found.health) == (None, False, "")
    assert found.image == "sha256:abc"


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"state": {"Status": "paused"}}, "state", InstanceState.PAUSED),
        ({"state": {"Status": "restarting", "ExitCode": 3}}, "state", InstanceState.RESTARTING),
        ({"state": {"Status": "restarting", "ExitCode": 3}}, "exit_code", 3),
        ({"state": {"Status": "exited", "ExitCode": 0}}, "exit_code", 0),
        ({"state": {"Status": "exited", "ExitCode": 137, "OOMKilled": True}}, "oom_killed", True),
        ({"state": {"Status": "created"}}, "exit_code", None),
        ({"state": {"Status": "created", "ExitCode": 127}}, "exit_code", 127),
        ({"state": {"Status": "created", "Error": "no"}}, "error", "no"),
        ({"state": {"Status": "dead"}}, "state", InstanceState.EXITED),
        ({"state": {"Status": "some new word"}}, "state", InstanceState.EXITED),
        ({"state": {"StartedAt": "0001-01-01T00:00:00Z"}}, "started_at", 0.0),
        ({"state": {"Health": {"Status": "unhealthy"}}}, "health", "unhealthy"),
        ({"state": {"Health": {"Status": "none"}}}, "health", ""),
        ({"state": {"Health": {"Status": "starting"}}}, "health", "starting"),
        ({"state": {"Status": "exited", "Health": {"Status": "unhealthy"}}}, "health", ""),
        ({"restarts": 4}, "restarts", 4),
        ({"labels": {"bluegreen.color": ""}}, "color", None),
        ({"labels": {"bluegreen.color": "red"}}, "color", None),
        ({"labels": {"bluegreen.port": ""}}, "port", None),
        ({"labels": {"bluegreen.release": "x"}}, "release", 0),
        ({"networks": {}}, "host", None),
        ({"networks": {"bluegreen_shop": {"IPAddress": ""}}}, "host", None),
        ({"networks": {"mine": {"IPAddress": "10.5.5.5"}}}, "host", "10.5.5.5"),
        ({"mode": "host", "networks": {"host": {"IPAddress": ""}}}, "host", "127.0.0.1"),
        ({"mode": "none", "networks": {"none": {"IPAddress": ""}}}, "port", None),
        ({"mode": "container:abc", "networks": {}}, "port", None),
        ({"networks": {}}, "port", 3000),
    ],
)
def test_each_state_is_read(changes: dict[str, Any], field: str, expected: Any) -> None:
    assert getattr(reading.instance(container(**changes)), field) == expected


def test_a_restart_is_another_incarnation() -> None:
    again = container(state={"StartedAt": "2030-01-02T03:04:06Z"})
    assert reading.instance(container()).incarnation != reading.instance(again).incarnation


def message(action: str, **attributes: str) -> dict[str, Any]:
    own = {"bluegreen.stack": "shop", "bluegreen.service": "web", "name": "shop-web-r3-2"}
    actor = {"ID": "c1", "Attributes": own | attributes}
    return {"Type": "container", "Action": action, "Actor": actor, "timeNano": 1_500_000_000}


def quitting(action: str, **attributes: str) -> dict[str, Any]:
    return message(action, **{"bluegreen.stop-signal": "QUIT"}, **attributes)


@pytest.mark.parametrize(
    ("said", "kind", "detail"),
    [
        (message("start"), RuntimeEventKind.STARTED, ""),
        (message("die", exitCode="137"), RuntimeEventKind.DIED, "exit code 137"),
        (message("oom"), RuntimeEventKind.OOM, ""),
        (message("pause"), RuntimeEventKind.PAUSED, ""),
        (message("unpause"), RuntimeEventKind.RESUMED, ""),
        (message("health_status: healthy"), RuntimeEventKind.HEALTH, "healthy"),
        (message("destroy"), RuntimeEventKind.REMOVED, ""),
        (message("rename"), RuntimeEventKind.ADDRESS, "rename shop-web-r3-2"),
        (message("kill", signal="15"), RuntimeEventKind.STOPPING, "signal 15"),
        (message("kill", signal="9"), RuntimeEventKind.STOPPING, "signal 9"),
        (quitting("kill", signal="3"), RuntimeEventKind.STOPPING, "signal 3"),
    ],
)
def test_each_message_is_an_event(said: dict[str, Any], kind: RuntimeEventKind, detail: str) -> None:
    event = reading.event(said, {})
    assert event is not None
    assert (event.kind, event.detail, event.at) == (kind, detail, 1.5)
    assert (event.stack, event.service, event.instance) == ("shop", "web", "shop-web-r3-2")


def test_a_message_about_a_network_is_known_by_the_container() -> None:
    actor = {"ID": "n1", "Attributes": {"container": "c1", "name": "bluegreen_shop"}}
    said = {"Type": "network", "Action": "disconnect", "Actor": actor, "time": 7}
    event = reading.event(said, {"c1": ("shop", "web", "shop-web-r3-2")})
    assert event is not None
    assert (event.kind, event.instance, event.at) == (RuntimeEventKind.ADDRESS, "shop-web-r3-2", 7.0)
    assert reading.event(said, {}) is None


@pytest.mark.parametrize(
    "said",
    [
        message("exec_start: sh"),
        message("create"),
        message("kill", signal="1"),
        message("kill"),
        quitting("kill", signal="15"),
        {},
        {"Type": "container", "Action": "die"},
        {"Type": "container", "Action": "die", "Actor": {"ID": "x", "Attributes": None}},
        {"Type": "container", "Action": "die", "Actor": {"ID": "x", "Attributes": {"name": "theirs"}}},
    ],
)
def test_what_is_not_ours_or_says_nothing_is_left_out(said: dict[str, Any]) -> None:
    assert reading.event(said, {}) is None


def test_only_tcp_ports_of_an_image_count() -> None:
    exposed: dict[str, Any] = {"8080/tcp": {}, "53/udp": {}, "80": {}}
    assert reading.image_ports({"Config": {"ExposedPorts": exposed}}) == (80, 8080)
    assert reading.image_ports({"Config": None}) == ()
