# ruff: noqa: E501 -- rows of a table stay on one line
"""The reference and the schema say what the loader does."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen import stack
from bluegreen.domain.check import HealthCheck
from bluegreen.stack import keys, schema
from bluegreen.stack.balancer_env.table import SETTINGS
from bluegreen.stack.codes import CODES
from bluegreen.stack.models.support import Support
from bluegreen.stack.reference import render

DOCKER_CLOUD = """image command entrypoint environment env_file build external_links expose ports links volumes
volumes_from deployment_strategy target_num_containers sequential_deployment restart autodestroy autoredeploy roles
tags privileged read_only stdin_open tty net pid cap_add cap_drop devices dns dns_search extra_hosts security_opt
labels cpu_shares cpuset mem_limit memswap_limit working_dir user hostname domainname mac_address
cgroup_parent""".split()  # noqa: SIM905

COMPOSE = """annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec
depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname driver_opts entrypoint
env_file environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc
isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models
network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged
profiles provider pull_policy read_only restart runtime scale secrets security_opt shm_size stdin_open
stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes
volumes_from working_dir""".split()  # noqa: SIM905


@pytest.mark.parametrize(("dialect", "expected"), [("docker-cloud", DOCKER_CLOUD), ("compose", COMPOSE)])
def test_every_key_of_the_original_is_documented(dialect: str, expected: list[str]) -> None:
    documented = {row.key for row in keys() if row.dialect == dialect and row.section == "service"}
    assert set(expected) - documented == set()
    assert {key for key in documented if "." not in key} - set(expected) == {"x-bluegreen"}


def test_every_row_says_what_it_does() -> None:
    for row in keys():
        assert row.text.endswith("."), row.key
        assert row.type, row.key
        assert row.support is Support.SUPPORTED or row.key.rsplit(".", 1)[-1].strip("`") in row.text, row.key


def test_the_nested_keys_of_x_bluegreen_are_rows() -> None:
    rows = {row.key: row for row in keys() if row.dialect == "x-bluegreen"}
    assert rows["bake"].default == "5m"
    assert rows["route.port"].type == "port"
    assert rows["check.interval"].default == "2s"
    assert rows["check.expect"].default == "-".join(str(part) for part in HealthCheck().expect[0])
    assert (rows["agent.interval"].default, rows["agent.fall"].default) == ("10s", "3")
    assert rows["drain.deadline"].default == "30s"
    assert rows["process.command"].type == "command line, or list of words"
    assert rows["strategy"].default == "bluegreen"


def test_the_page_holds_every_key_and_every_setting() -> None:
    page = render()
    for row in keys():
        assert f"| `{row.key}` |" in page
    for setting in SETTINGS:
        assert f"`{setting.name.split('#')[0]}" in page


def test_the_schema_is_json_and_names_what_the_loader_knows() -> None:
    text = json.loads(json.dumps(schema()))
    properties = text["$defs"]["ComposeService"]["properties"]
    assert set(COMPOSE) <= set(properties)
    assert properties["build"]["deprecated"] is True
    assert "deprecated" not in properties["image"]
    assert "description" in properties["image"]
    assert text["$defs"]["DockerCloudService"]["properties"]["restart"]["enum"] == [
        "no",
        "on-failure",
        "always",
    ]


def test_the_schema_knows_the_short_forms() -> None:
    properties = schema()["$defs"]["OwnKeys"]["properties"]
    for name in ("check", "agent", "drain", "route"):
        assert {"type": "string"} in properties[name]["anyOf"], name


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, bluegreen.stack; print(*sorted({'yaml', 'pydantic'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout.strip() == ""


def test_every_code_is_documented_and_every_documented_code_is_used() -> None:
    package = Path(stack.__file__).parent
    sources = "".join(p.read_text(encoding="utf-8") for p in package.rglob("*.py") if p.name != "codes.py")
    tests = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    built = {"unknown_config", "unknown_secret"}  # made of the key's name
    for code in CODES:
        assert code in built or f'"{code}"' in sources, code
    known = set(re.findall(r'\.(?:error|warn|info)\(\s*"([a-z_0-9]+)"', sources))
    known |= set(re.findall(r'(?:ERROR|WARNING), [^\n]*"([a-z]+_[a-z_0-9]+)"', sources))
    assert known - set(CODES) == set()
    assert [code for code in CODES if f'"{code}"' not in tests] == []
