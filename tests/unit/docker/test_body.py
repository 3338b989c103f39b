"""The body of a container's creation, as a table: what is wanted, and where Docker expects it."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.domain.instance import InstanceSpec
from bluegreen.domain.naming import Color
from bluegreen.domain.spec import (
    ContainerHealth,
    ContainerOptions,
    Limits,
    Mount,
    PortMapping,
    RestartPolicy,
    ServiceSpec,
)
from bluegreen.drivers.runtimes.docker.body import create_body, traffic_port


def instance(color: Color | None = Color.GREEN, **fields: Any) -> InstanceSpec:
    spec = ServiceSpec(**({"name": "web"} | fields))
    return InstanceSpec(
        name="shop-web-r3-2",
        stack="shop",
        service="web",
        release=3,
        index=2,
        color=color,
        image="sha256:abc",
        config_hash="0123456789abcdef",
        spec=spec,
        aliases=("web", "backend"),
    )


def at(body: dict[str, Any], path: str) -> Any:
    for key in path.split("."):
        body = body.get(key, {}) if isinstance(body, dict) else body
    return body


def options(**fields: Any) -> dict[str, Any]:
    return {"container": ContainerOptions(**fields)}


@pytest.mark.parametrize(
    ("fields", "path", "expected"),
    [
        ({"command": ("run", "it")}, "Cmd", ["run", "it"]),
        ({"command": ()}, "Cmd", []),
        ({}, "Cmd", {}),
        ({"environment": {"A": "1", "B": ""}}, "Env", ["A=1", "B="]),
        ({"stop_signal": "USR1"}, "StopSignal", "SIGUSR1"),
        ({"stop_signal": "SIGINT"}, "StopSignal", "SIGINT"),
        ({"stop_signal": "9"}, "StopSignal", "9"),
        ({"stop_grace": 2.2}, "StopTimeout", 3),
        ({"stop_grace": 0.0}, "StopTimeout", 0),
        ({"restart": RestartPolicy.ALWAYS}, "HostConfig.RestartPolicy", {"Name": "always"}),
        (
            {"restart": RestartPolicy.ON_FAILURE, "restart_attempts": 4},
            "HostConfig.RestartPolicy",
            {"Name": "on-failure", "MaximumRetryCount": 4},
        ),
        ({}, "Healthcheck", {}),
        ({"health": ContainerHealth(test=("NONE",))}, "Healthcheck", {"Test": ["NONE"]}),
        (
            {
                "health": ContainerHealth(
                    test=("CMD", "well", "a b"), interval=0.25, timeout=30.0, retries=3, start_period=1.5
                )
            },
            "Healthcheck",
            {
                "Test": ["CMD", "well", "a b"],
                "Interval": 250_000_000,
                "Timeout": 30_000_000_000,
                "StartPeriod": 1_500_000_000,
                "Retries": 3,
            },
        ),
        (
            {"health": ContainerHealth(test=(), retries=5)},
            "Healthcheck",
            {"Test": [], "Retries": 5},
        ),
        ({"limits": Limits(cpu_shares=512)}, "HostConfig.CpuShares", 512),
        ({"limits": Limits(cpuset="0,1")}, "HostConfig.CpusetCpus", "0,1"),
        ({"limits": Limits(cpus=1.5)}, "HostConfig.NanoCpus", 1_500_000_000),
        ({"limits": Limits(mem_limit=1 << 20)}, "HostConfig.Memory", 1 << 20),
        ({"limits": Limits(memswap_limit=-1)}, "HostConfig.MemorySwap", -1),
        ({"limits": Limits(mem_reservation=7)}, "HostConfig.MemoryReservation", 7),
        ({"limits": Limits(pids=9)}, "HostConfig.PidsLimit", 9),
        ({"mounts": (Mount(target="/d"),)}, "Volumes", {"/d": {}}),
        ({"mounts": (Mount(target="/d"),)}, "HostConfig.Mounts", {}),
        ({"mounts": (Mount(target="/d", source="/h"),)}, "HostConfig.Binds", ["/h:/d"]),
        ({"mounts": (Mount(target="/d", source="/h", read_only=True),)}, "HostConfig.Binds", ["/h:/d:ro"]),
        (
            {"mounts": (Mount(target="/d", source="data", read_only=True),)},
            "HostConfig.Mounts",
            [
                {
                    "Type": "volume",
                    "Source": "shop_data",
                    "Target": "/d",
                    "ReadOnly": True,
                    "VolumeOptions": {"Labels": {"bluegreen.stack": "shop"}},
                }
            ],
        ),
        (
            {"ports": (PortMapping(container=80, host=8080), PortMapping(container=80))},
            "HostConfig.PortBindings",
            {"80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "", "HostPort": ""}]},
        ),
        (
            {"ports": (PortMapping(container=53, host=53, protocol="udp", address="10.0.0.1"),)},
            "HostConfig.PortBindings",
            {"53/udp": [{"HostIp": "10.0.0.1", "HostPort": "53"}]},
        ),
        ({"expose": (80, 81), "port": 80}, "ExposedPorts", {"80/tcp": {}, "81/tcp": {}}),
        ({"ports": (PortMapping(container=53, protocol="udp"),)}, "ExposedPorts", {"53/udp": {}}),
        (options(entrypoint=("a", "b")), "Entrypoint", ["a", "b"]),
        (options(entrypoint=()), "Entrypoint", [""]),
        (options(user="1:2"), "User", "1:2"),
        (options(working_dir="/w"), "WorkingDir", "/w"),
        (options(hostname="h"), "Hostname", "h"),
        (options(tty=True), "Tty", True),
        (options(stdin_open=True), "OpenStdin", True),
        (options(privileged=True), "HostConfig.Privileged", True),
        (options(read_only=True), "HostConfig.ReadonlyRootfs", True),
        (options(init=True), "HostConfig.Init", True),
        (options(pid_mode="host"), "HostConfig.PidMode", "host"),
        (options(cap_add=("NET_ADMIN",)), "HostConfig.CapAdd", ["NET_ADMIN"]),
        (options(cap_drop=("ALL",)), "HostConfig.CapDrop", ["ALL"]),
        (
            options(devices=("/dev/a", "/dev/b:/dev/c:r")),
            "HostConfig.Devices",
            [
                {"PathOnHost": "/dev/a", "PathInContainer": "/dev/a", "CgroupPermissions": "rwm"},
                {"PathOnHost": "/dev/b", "PathInContainer": "/dev/c", "CgroupPermissions": "r"},
            ],
        ),
        (options(dns=("1.1.1.1",)), "HostConfig.Dns", ["1.1.1.1"]),
        (options(dns_search=("a.b",)), "HostConfig.DnsSearch", ["a.b"]),
        (options(extra_hosts=("a:1.2.3.4",)), "HostConfig.ExtraHosts", ["a:1.2.3.4"]),
        (options(security_opt=("no-new-privileges",)), "HostConfig.SecurityOpt", ["no-new-privileges"]),
        (options(tmpfs=("/t", "/u:size=1m")), "HostConfig.Tmpfs", {"/t": "", "/u": "size=1m"}),
        (options(shm_size=64), "HostConfig.ShmSize", 64),
        (
            options(ulimits={"nofile": (1, 2)}),
            "HostConfig.Ulimits",
            [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        ),
        (options(sysctls={"a": "1"}), "HostConfig.Sysctls", {"a": "1"}),
        (
            options(log_driver="local", log_options={"max-size": "1m"}),
            "HostConfig.LogConfig",
            {"Type": "local", "Config": {"max-size": "1m"}},
        ),
        ({}, "HostConfig.LogConfig", {}),
        ({}, "HostConfig.NetworkMode", "bluegreen_shop"),
        (options(network_mode="bridge"), "HostConfig.NetworkMode", "bluegreen_shop"),
        (options(network_mode="host"), "HostConfig.NetworkMode", "host"),
        (options(network_mode="host"), "NetworkingConfig", {}),
        (
            {},
            "NetworkingConfig.EndpointsConfig.bluegreen_shop.Aliases",
            ["web", "backend"],
        ),
    ],
)
def test_each_setting_reaches_its_field(fields: dict[str, Any], path: str, expected: Any) -> None:
    assert at(create_body(instance(**fields)), path) == expected


def test_labels_say_what_it_is_and_cannot_be_forged_by_the_user() -> None:
    forged = {"team": "a", "bluegreen.stack": "other"}
    labels = create_body(instance(labels=forged, port=80))["Labels"]
    assert labels == {
        "team": "a",
        "bluegreen.stack": "shop",
        "bluegreen.service": "web",
        "bluegreen.release": "3",
        "bluegreen.color": "green",
        "bluegreen.index": "2",
        "bluegreen.config-hash": "0123456789abcdef",
        "bluegreen.stop-signal": "TERM",
        "bluegreen.port": "80",
    }


def test_without_color_and_port_the_labels_are_empty() -> None:
    labels = create_body(instance(color=None))["Labels"]
    assert (labels["bluegreen.color"], labels["bluegreen.port"]) == ("", "")


def test_the_image_is_the_pinned_one_and_not_that_of_the_spec() -> None:
    assert create_body(instance(image="web:1"))["Image"] == "sha256:abc"


@pytest.mark.parametrize(
    ("fields", "image_ports", "expected"),
    [
        ({"port": 1, "expose": (2,)}, (3,), 1),
        ({"expose": (2, 4)}, (3,), 2),
        ({}, (3,), 3),
        ({}, (3, 4), None),
        ({}, (), None),
    ],
)
def test_the_port_of_the_traffic(
    fields: dict[str, Any], image_ports: tuple[int, ...], expected: int | None
) -> None:
    assert traffic_port(ServiceSpec(name="web", **fields), image_ports) == expected
