# ruff: noqa: E501 -- rows of a table stay on one line
"""Every key of a service, in both dialects: what it becomes, or why it becomes nothing."""

from textwrap import dedent
from typing import Any

import pytest

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.spec import Link, Mount, PortMapping, RestartPolicy
from tests.unit.stack.files import Folder

BOTH: list[tuple[str, str, Any]] = [
    ("command: run --fast 'a b'", "command", ("run", "--fast", "a b")),
    ("command: [run, '--fast']", "command", ("run", "--fast")),
    ("command: no", "command", ("no",)),
    ("entrypoint: /bin/sh -c", "container.entrypoint", ("/bin/sh", "-c")),
    ("environment: [A=1, 'B=x=y']", "environment", {"A": "1", "B": "x=y"}),
    ("environment: {A: 1}", "environment", {"A": "1"}),
    ("labels: [a=1, b]", "labels", {"a": "1", "b": ""}),
    ("labels: {a: 1}", "labels", {"a": "1"}),
    ("expose: ['80', 90, 91/udp]", "expose", (80, 90)),
    ("expose: ['80', 90]", "port", 80),
    ("ports: ['8080:80']", "ports", (PortMapping(container=80, host=8080),)),
    ("ports: ['8080:80']", "port", 80),
    ("ports: ['8080:80', '81:81']", "port", None),
    ("ports: [80]", "ports", (PortMapping(container=80),)),
    ("ports: ['500/udp']", "ports", (PortMapping(container=500, protocol="udp"),)),
    ("ports: ['53:53/udp']", "ports", (PortMapping(container=53, host=53, protocol="udp"),)),
    ("ports: ['127.0.0.1:8080:80']", "ports", (PortMapping(container=80, host=8080, address="127.0.0.1"),)),
    ("ports: ['[::1]:8080:80']", "ports", (PortMapping(container=80, host=8080, address="::1"),)),
    (
        "ports: ['80-81:90-91']",
        "ports",
        (PortMapping(container=90, host=80), PortMapping(container=91, host=81)),
    ),
    ("volumes: [/data]", "mounts", (Mount(target="/data"),)),
    ("volumes: ['/h:/c:ro']", "mounts", (Mount(target="/c", source="/h", read_only=True),)),
    ("privileged: yes", "container.privileged", True),
    ("read_only: true", "container.read_only", True),
    ("stdin_open: on", "container.stdin_open", True),
    ("tty: True", "container.tty", True),
    ("cap_add: [NET_ADMIN]", "container.cap_add", ("NET_ADMIN",)),
    ("cap_drop: [ALL]", "container.cap_drop", ("ALL",)),
    ("devices: ['/dev/a:/dev/b']", "container.devices", ("/dev/a:/dev/b",)),
    ("dns: 10.0.0.1", "container.dns", ("10.0.0.1",)),
    ("dns: [10.0.0.1, 10.0.0.2]", "container.dns", ("10.0.0.1", "10.0.0.2")),
    ("dns_search: example.com", "container.dns_search", ("example.com",)),
    ("extra_hosts: ['db:10.0.0.1']", "container.extra_hosts", ("db:10.0.0.1",)),
    ("security_opt: [no-new-privileges]", "container.security_opt", ("no-new-privileges",)),
    ("cpu_shares: 512", "limits.cpu_shares", 512),
    ("cpuset: 0,1", "limits.cpuset", "0,1"),
    ("cpuset: 0", "limits.cpuset", "0"),
    ("mem_limit: 100000m", "limits.mem_limit", 100000 * 1024**2),
    ("mem_limit: 1g", "limits.mem_limit", 1024**3),
    ("mem_limit: 512MB", "limits.mem_limit", 512 * 1024**2),
    ("mem_limit: 1048576", "limits.mem_limit", 1048576),
    ("mem_limit: 1.5g", "limits.mem_limit", 1610612736),
    ("mem_limit: 1g\nmemswap_limit: 2g", "limits.memswap_limit", 2 * 1024**3),
    ("memswap_limit: -1", "limits.memswap_limit", -1),
    ("working_dir: /srv", "container.working_dir", "/srv"),
    ("user: 1000:1000", "container.user", "1000:1000"),
    ("hostname: w1", "container.hostname", "w1"),
    ("restart: always", "restart", RestartPolicy.ALWAYS),
    ("restart: on-failure", "restart", RestartPolicy.ON_FAILURE),
    ("pid: host", "container.pid_mode", "host"),
    ("x-bluegreen: {replicas: 3}", "replicas", 3),
    ("x-bluegreen: {port: 3000}", "port", 3000),
    ("x-bluegreen: {bake: 1h30m}", "rollout.bake", 5400.0),
    ("x-bluegreen: {drain: 500ms}", "rollout.drain", 0.5),
    ("x-bluegreen: {start_deadline: 90}", "rollout.start_deadline", 90.0),
    ("x-bluegreen: {step_pause: 1m}", "rollout.step_pause", 60.0),
    ("x-bluegreen: {max_restarts: 0}", "rollout.max_restarts", 0),
    ("x-bluegreen: {stop_first: yes}", "rollout.stop_first", True),
    ("x-bluegreen: {strategy: bluegreen}", "rollout.shares", (100,)),
    ("x-bluegreen: {strategy: canary}", "rollout.shares", (5, 25, 50, 100)),
    ("x-bluegreen: {strategy: {canary: [10, 50%]}}", "rollout.shares", (10, 50, 100)),
    ("x-bluegreen: {strategy: {canary: [10, 100]}}", "rollout.shares", (10, 100)),
    ("x-bluegreen: {process: {command: run --port 1}}", "process.command", ("run", "--port", "1")),
    ("x-bluegreen: {process: {command: [run, 'a b']}}", "process.command", ("run", "a b")),
    ("x-bluegreen: {check: OPTIONS /ping}", "check", HealthCheck(method="OPTIONS", path="/ping")),
    ("x-bluegreen: {check: /ping}", "check", HealthCheck(path="/ping")),
    ("x-bluegreen: {check: tcp}", "check", HealthCheck(kind=CheckKind.TCP)),
    ("x-bluegreen: {check: {type: none}}", "check.kind", CheckKind.NONE),
    ("x-bluegreen: {check: {interval: 500ms}}", "check.timeout", 0.5),
    ("x-bluegreen: {check: {interval: 5s, timeout: 1s}}", "check.timeout", 1.0),
    ("x-bluegreen: {check: {expect: 204}}", "check.expect", ((204, 204),)),
    ("x-bluegreen: {check: {headers: {X: 1}, host: a.b}}", "check.headers", (("X", "1"),)),
    ("x-bluegreen: {check: {port: 9000, rise: 2, fall: 5, start_period: 10s}}", "check.port", 9000),
    ("x-mine: {anything: [goes]}", "image", "app:1"),
]

DOCKER_CLOUD: list[tuple[str, str, Any]] = [
    ("target_num_containers: 3", "replicas", 3),
    ("deployment_strategy: every_node", "replicas", 1),
    ("deployment_strategy: emptiest_node", "replicas", 1),
    ("net: host", "container.network_mode", "host"),
    ("net: bridge", "container.network_mode", None),
    ("pid: none", "container.pid_mode", None),
]

COMPOSE: list[tuple[str, str, Any]] = [
    ("restart: unless-stopped", "restart", RestartPolicy.UNLESS_STOPPED),
    ("restart: on-failure:3", "restart_attempts", 3),
    ("scale: 2", "replicas", 2),
    ("deploy: {replicas: 2}", "replicas", 2),
    ("deploy: {mode: global}", "replicas", 1),
    ("deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 9}}}", "limits.cpus", 0.5),
    ("deploy: {resources: {limits: {memory: 64m}}}", "limits.mem_limit", 64 * 1024**2),
    ("deploy: {resources: {reservations: {memory: 64m}}}", "limits.mem_reservation", 64 * 1024**2),
    ("deploy: {restart_policy: {condition: on-failure, max_attempts: 4}}", "restart_attempts", 4),
    ("deploy: {restart_policy: {condition: any}}", "restart", RestartPolicy.ALWAYS),
    ("cpus: 1.5", "limits.cpus", 1.5),
    ("mem_reservation: 10m", "limits.mem_reservation", 10 * 1024**2),
    ("pids_limit: 50", "limits.pids", 50),
    (
        "ulimits: {nofile: 100, nproc: {soft: 1, hard: 2}}",
        "container.ulimits",
        {"nofile": (100, 100), "nproc": (1, 2)},
    ),
    ("sysctls: [net.core.somaxconn=1024]", "container.sysctls", {"net.core.somaxconn": "1024"}),
    ("logging: {driver: json-file, options: {max-size: 1m}}", "container.log_driver", "json-file"),
    ("stop_grace_period: 1m30s", "stop_grace", 90.0),
    ("stop_signal: SIGQUIT", "stop_signal", "QUIT"),
    ("init: true", "container.init", True),
    ("shm_size: 64m", "container.shm_size", 64 * 1024**2),
    ("tmpfs: /run", "container.tmpfs", ("/run",)),
    ("platform: linux/amd64", "container.platform", "linux/amd64"),
    ("network_mode: host", "container.network_mode", "host"),
    ("extra_hosts: {db: 10.0.0.1}", "container.extra_hosts", ("db:10.0.0.1",)),
    (
        "ports: [{target: 80, published: '8080', protocol: tcp}]",
        "ports",
        (PortMapping(container=80, host=8080),),
    ),
    (
        "volumes: [{type: bind, source: /h, target: /c, read_only: true}]",
        "mounts",
        (Mount(target="/c", source="/h", read_only=True),),
    ),
    ("healthcheck: {disable: true}", "check.kind", CheckKind.TCP),
]


def value_at(root: object, path: str) -> object:
    for part in path.split("."):
        root = getattr(root, part)
    return root


@pytest.mark.parametrize(("keys", "path", "value"), BOTH + DOCKER_CLOUD)
def test_docker_cloud_keys(folder: Folder, keys: str, path: str, value: object) -> None:
    outcome = folder.one(keys)
    assert value_at(outcome.service(), path) == value, outcome.text
    assert outcome.codes == []


@pytest.mark.parametrize(("keys", "path", "value"), BOTH + COMPOSE)
def test_compose_keys(folder: Folder, keys: str, path: str, value: object) -> None:
    outcome = folder.compose(keys)
    assert value_at(outcome.service(), path) == value, outcome.text
    assert outcome.codes == []


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("roles: [global]", "unneeded_key"),
        ("sequential_deployment: yes", "unneeded_key"),
        ("autoredeploy: true", "ignored_key"),
        ("autodestroy: no", "ignored_key"),
        ("tags: [a]", "ignored_key"),
        ("domainname: example.com", "ignored_key"),
        ("mac_address: 02:42:ac:11:65:43", "ignored_key"),
        ("cgroup_parent: /x", "ignored_key"),
        ("volumes_from: [web2]", "unsupported_key"),
        ("build: .", "unsupported_key"),
        ("env_file: a.env", "unsupported_key"),
        ("external_links: [a]", "unsupported_key"),
    ],
)
def test_docker_cloud_keys_that_are_not_carried_out_say_why(folder: Folder, keys: str, code: str) -> None:
    outcome = folder.load(f"web:\n  image: x\n  {keys}\nweb2:\n  image: y\n")
    (problem,) = outcome.loaded.problems
    assert problem.code == code
    assert problem.path == f"web.{keys.split(':')[0]}"
    assert keys.split(":")[0] in problem.message
    assert (problem.line, problem.column) == (3, 3)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("build: {context: .}", "unsupported_key"),
        ("container_name: web", "unsupported_key"),
        ("gpus: all", "unsupported_key"),
        ("runtime: nvidia", "unsupported_key"),
        ("group_add: [x]", "unsupported_key"),
        ("label_file: x", "unsupported_key"),
        ("networks: [front]", "unneeded_key"),
        ("networks: {front: {aliases: [a]}}", "unneeded_key"),
        ("develop: {}", "unneeded_key"),
        ("pull_policy: always", "ignored_key"),
        ("oom_kill_disable: true", "ignored_key"),
        ("deploy: {update_config: {order: start-first}}", "ignored_key"),
        ("deploy: {placement: {constraints: [a]}}", "ignored_key"),
        ("deploy: {resources: {reservations: {cpus: 1}}}", "ignored_key"),
        ("healthcheck: {test: [CMD, /check.sh]}", "healthcheck_inside"),
        ("healthcheck: {test: /check.sh, start_interval: 1s}\nx-bluegreen: {check: tcp}", "unneeded_key"),
    ],
)
def test_compose_keys_that_are_not_carried_out_say_why(folder: Folder, keys: str, code: str) -> None:
    outcome = folder.compose(keys)
    (problem,) = outcome.loaded.problems
    assert problem.code == code
    assert problem.line == 4


def test_every_compose_key_that_is_refused_or_ignored_is_reported_by_name(folder: Folder) -> None:
    from bluegreen.stack import keys

    for row in keys():
        if (
            row.dialect == "compose"
            and row.section == "service"
            and row.support.value != "supported"
            and "." not in row.key
        ):
            value = "{a: }" if row.key == "networks" else "[x]"
            outcome = folder.compose(f"{row.key}: {value}")
            assert [p.code for p in outcome.loaded.problems if row.key in p.path] != [], row.key


def test_links_and_dependencies_give_the_order(folder: Folder) -> None:
    text = "services:\n  web: {image: x, links: ['db:database'], depends_on: {cache: {condition: service_healthy}}}\n"
    outcome = folder.load(text + "  db: {image: x}\n  cache: {image: x}\n")
    assert outcome.service().links == (Link(service="db", alias="database"),)
    assert outcome.service().depends_on == ("cache", "db")


def test_relative_volumes_are_relative_to_their_file_and_named_ones_belong_to_the_stack(
    folder: Folder,
) -> None:
    top = "volumes:\n  data:\n  kept: {external: true}\n  other: {name: elsewhere}\n"
    outcome = folder.compose("volumes: ['./conf:/conf', 'data:/data', 'kept:/kept', 'other:/other']", top=top)
    sources = [mount.source for mount in outcome.service().mounts]
    assert sources == [str(folder.path / "conf"), "shop_data", "kept", "elsewhere"]


def test_configs_and_secrets_are_files_mounted_read_only(folder: Folder) -> None:
    top = "secrets: {key: {file: ./key.txt}}\nconfigs: {conf: {file: /etc/conf}}\n"
    outcome = folder.compose("secrets: [key]\nconfigs: [{source: conf, target: /app/conf}]", top=top)
    assert outcome.service().mounts == (
        Mount(target="/app/conf", source="/etc/conf", read_only=True),
        Mount(target="/run/secrets/key", source=str(folder.path / "key.txt"), read_only=True),
    )


@pytest.mark.parametrize(
    ("test", "method", "path", "port"),
    [
        ("['CMD', curl, '-f', 'http://localhost:3000/ping']", "GET", "/ping", 3000),
        ("curl -fsS http://127.0.0.1/health?x=1 || exit 1", "GET", "/health?x=1", 80),
        ("['CMD-SHELL', 'wget -q --spider http://localhost:80/ || exit 1']", "HEAD", "/", 80),
    ],
)
def test_a_plain_request_in_a_healthcheck_becomes_the_check(
    folder: Folder, test: str, method: str, path: str, port: int
) -> None:
    outcome = (
        folder.compose(
            f"healthcheck: {{test: {test}, interval: 5s, timeout: 1s, retries: 4}}".replace("[0]", "")
        )
        if test.startswith("[")
        else folder.compose(f"healthcheck:\n  test: {test}\n  interval: 5s\n  timeout: 1s\n  retries: 4")
    )
    check = outcome.service().check
    assert (check.method, check.path, check.port) == (method, path, port)
    assert (check.interval, check.timeout, check.fall) == (5.0, 1.0, 4)
    assert outcome.codes == ["healthcheck_translated"]


@pytest.mark.parametrize(
    "test",
    [
        "pg_isready",
        "curl http://example.com/",
        "curl -X POST http://localhost/",
        "curl http://localhost/ | grep ok",
        "curl http://localhost:port/",
        "'curl \"http'",
    ],
)
def test_any_other_healthcheck_is_not_guessed(folder: Folder, test: str) -> None:
    outcome = folder.compose(f"healthcheck:\n  test: {test}")
    assert outcome.service().check.kind is CheckKind.TCP
    assert outcome.codes == ["healthcheck_inside"]
    assert "x-bluegreen" in outcome.text


def test_its_own_check_wins_over_a_healthcheck(folder: Folder) -> None:
    outcome = folder.compose("healthcheck: {test: pg_isready}\nx-bluegreen: {check: /ping}")
    assert outcome.service().check.path == "/ping"
    assert outcome.codes == []


def test_a_service_needs_an_image_or_a_process(folder: Folder) -> None:
    assert folder.load("web:\n  command: run\n").errors == ["missing_image"]
    assert folder.load("web:\n  x-bluegreen: {process: {command: run}}\n").errors == []


def test_the_folder_of_a_process_is_that_of_its_file(folder: Folder) -> None:
    process = folder.one("x-bluegreen: {process: {command: run, directory: sub}}").service().process
    assert process is not None
    assert process.directory == str(folder.path / "sub")


@pytest.mark.parametrize("dialect", ["one", "compose"])
def test_what_is_marked_as_secret_is_known_by_name_and_a_misspelt_name_is_told(
    folder: Folder, dialect: str
) -> None:
    keys = """
        environment:
          DATABASE_URL: postgres://app:pw@db
          MODE: fast
        x-bluegreen: {secret_environment: %s}
    """
    load = getattr(folder, dialect)
    marked = load(dedent(keys % "[DATABASE_URL]"))
    assert marked.service().secrets == {"DATABASE_URL"}
    assert "unknown_variable" not in marked.codes
    assert load(dedent(keys % "DATABASE_URL")).service().secrets == {"DATABASE_URL"}
    misspelt = load(dedent(keys % "[DATABASE_URI]"))
    assert "unknown_variable" in misspelt.codes
    assert "DATABASE_URL" in misspelt.text
