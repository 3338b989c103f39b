"""The configuration as text: one golden file, the words that must not change meaning, HAProxy's consent."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.check import TCP_CHECK, CheckKind, HealthCheck
from bluegreen.domain.errors import Permanent
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import (
    Admin,
    Globals,
    Listener,
    Maintenance,
    Mode,
    Pool,
    PoolOptions,
    Route,
    Routing,
    Server,
    Stats,
)
from bluegreen.drivers.balancers.haproxy.backends import is_static, render_pool, server_words
from bluegreen.drivers.balancers.haproxy.binary import find_binary
from bluegreen.drivers.balancers.haproxy.layout import Layout
from bluegreen.drivers.balancers.haproxy.render import PoolTexts, render, structure_of
from bluegreen.drivers.balancers.haproxy.words import quoted
from bluegreen.drivers.proxies.words import endpoint

GOLDEN = Path(__file__).with_name("golden.cfg")
BLUE, GREEN, MAIL = PoolId("shop.web.blue"), PoolId("shop.web.green"), PoolId("shop.mail")
CHECK = HealthCheck(method="OPTIONS", path="/ping", host="shop.test", headers=(("X-Of", "5 %"),))
SERVERS = (
    Server(name="web-1", host="10.0.0.1", port=8080),
    Server(name="web-2", host="fd00::1", port=8080, admin=Admin.DRAIN),
    Server(name="web-3", host="10.0.0.3", port=8080, admin=Admin.MAINT),
    Server(name="web-4", host="10.0.0.4", port=8080, forced_up=True),
)
OPTIONS = PoolOptions(
    balance="source",
    force_ssl=True,
    hsts_max_age="31536000",
    gzip_types="text/html text/plain",
    options=("forwardfor", "redispatch", "http-server-close"),
    server_options=("maxconn 10",),
)
ROUTING = Routing(
    listeners={
        80: Listener(port=80, basic_auth=(("ann", "it's"), ("bob", "$6$salt$hash"))),
        25: Listener(port=25, address="::1", mode=Mode.TCP),
    },
    routes={
        route.id: route
        for route in (
            Route(id=RouteId("shop.any"), port=80),
            Route(id=RouteId("shop.a"), port=80, host="A.test", weights={BLUE: 100}),
            Route(id=RouteId("shop.b"), port=80, host="b.test", weights={BLUE: 90, GREEN: 10}),
            Route(id=RouteId("shop.wild"), port=80, host="*.test", weights={GREEN: 100}),
            Route(
                id=RouteId("shop.api"),
                port=80,
                path="/api",
                maintenance=Maintenance(page="<p>disks\n", health_path="/api/it's", retry_after=30),
            ),
            Route(id=RouteId("shop.deep"), port=80, host="a.test", path="/api/it's"),
            Route(id=RouteId("shop.first"), port=80, path="/x", priority=5),
            Route(id=RouteId("shop.mail"), port=25, weights={MAIL: 100}),
        )
    },
    pools={
        BLUE: Pool(id=BLUE, check=CHECK, servers=SERVERS, options=OPTIONS),
        GREEN: Pool(id=GREEN, check=CHECK, servers=SERVERS[:1], options=PoolOptions(cookie="SRV")),
        MAIL: Pool(
            id=MAIL,
            check=replace(TCP_CHECK, tls=True, port=465),
            servers=SERVERS[:1],
            options=PoolOptions(mode=Mode.TCP, keep_last_good=False),
        ),
    },
    settings=Globals(
        log_target="127.0.0.1:514",
        ssl_bind_options="no-sslv3",
        stats=(Stats(port=1936, user="stats", password="stats"),),
    ),
)


def test_the_whole_configuration_is_as_recorded() -> None:
    rendering = render(ROUTING, Layout(generation=7, request_log=True))
    files = "".join(f"# file {name}\n{text}" for name, text in sorted(rendering.files.items()))
    assert rendering.config + files == GOLDEN.read_text()


def test_haproxy_accepts_it(tmp_path: Path) -> None:
    rendering = render(ROUTING, Layout(request_log=True))
    for name, text in {**rendering.files, "candidate.cfg": rendering.config}.items():
        (tmp_path / name).write_text(text)
    command = [find_binary(None), "-c", "-C", str(tmp_path), "-f", "candidate.cfg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_without_a_reader_nothing_is_noted() -> None:
    assert "requests" not in render(replace(ROUTING, settings=Globals()), Layout()).config


def test_servers_and_weights_are_not_structure() -> None:
    other = ROUTING.with_servers(BLUE, ()).with_weights(RouteId("shop.a"), {GREEN: 100})
    layout = Layout()
    assert structure_of(render(other, layout).config) == structure_of(render(ROUTING, layout).config)
    changed = replace(ROUTING.pools[BLUE], check=TCP_CHECK)
    stricter = replace(ROUTING, pools={**ROUTING.pools, BLUE: changed})
    assert structure_of(render(stricter, layout).config) != structure_of(render(ROUTING, layout).config)


def test_a_pool_is_rendered_again_only_when_it_is_another_object() -> None:
    texts = PoolTexts()
    pool = ROUTING.pools[BLUE]
    assert texts(pool) is texts(pool)
    assert "web-1" not in texts(replace(pool, servers=()))


def test_without_a_check_a_server_is_not_checked() -> None:
    pool = Pool(id=BLUE, check=HealthCheck(kind=CheckKind.NONE), servers=SERVERS[:1])
    assert server_words(pool, SERVERS[0]) == "10.0.0.1:8080 weight 100"


def test_users_answers_are_watched_as_was_wanted() -> None:
    watched, unwatched = (
        server_words(Pool(id=BLUE, options=PoolOptions(passive_errors=errors)), SERVERS[0])
        for errors in (3, None)
    )
    assert "observe layer7 error-limit 3 on-error mark-down" in watched
    assert "observe" not in unwatched


@pytest.mark.parametrize(
    ("pool", "twins"),
    [
        (Pool(id=BLUE, servers=SERVERS), 3),
        (Pool(id=BLUE, servers=SERVERS, options=PoolOptions(keep_last_good=False)), 0),
        (Pool(id=BLUE, servers=SERVERS, check=HealthCheck(kind=CheckKind.NONE)), 0),
        (Pool(id=BLUE, servers=SERVERS, options=PoolOptions(server_options=("backup",))), 0),
    ],
)
def test_who_stands_by_for_when_no_other_is_up(pool: Pool, twins: int) -> None:
    text = render_pool(pool)
    assert text.count(":last ") == twins
    assert ("option allbackups" in text) is (pool.options.keep_last_good and pool.check.kind != "none")


def test_a_page_that_haproxy_could_not_hold_is_refused() -> None:
    route = Route(id=RouteId("shop.any"), port=80, maintenance=Maintenance(page="x" * 12_001))
    with pytest.raises(Permanent) as seen:
        render(replace(ROUTING, routes={route.id: route}), Layout())
    assert seen.value.code == "balancer_refused"
    assert "12001 bytes" in seen.value.message


def test_what_a_check_asks_is_what_haproxy_asks() -> None:
    check = HealthCheck(
        path="/up", body="it's 100%", tls=True, host="a.test", expect=((200, 200), (301, 302))
    )
    pool = Pool(id=BLUE, check=check, servers=SERVERS[:1])
    words = server_words(pool, SERVERS[0])
    assert "weight 100 check check-ssl verify none check-sni a.test inter" in words
    text = render_pool(pool)
    assert "http-check expect status 200-200,301-302\n  http-check expect string 'it'\\''s 100%'\n" in text
    asked = replace(pool, check=replace(check, kind=CheckKind.TCP, host=None))
    assert "check check-ssl verify none inter" in server_words(asked, SERVERS[0])
    assert "http-check" not in render_pool(asked)
    inside = replace(pool, check=replace(check, kind=CheckKind.EXEC, command=("/bin/true",)))
    assert server_words(inside, SERVERS[0]).startswith("10.0.0.1:8080 weight 100 check inter 2000ms")
    assert "http-check" not in render_pool(inside)


@pytest.mark.parametrize(
    ("options", "static"),
    [
        (PoolOptions(), False),
        (PoolOptions(balance="leastconn"), False),
        (PoolOptions(balance="hdr(host)"), False),
        (PoolOptions(balance="url_param id"), False),
        (PoolOptions(balance="static-rr"), True),
        (PoolOptions(cookie="SRV"), True),
    ],
)
def test_which_pools_need_a_reload_for_their_servers(options: PoolOptions, static: bool) -> None:
    assert is_static(Pool(id=BLUE, options=options)) is static


@pytest.mark.parametrize(
    "pool",
    [
        Pool(id=PoolId("a\nbackend evil")),
        Pool(id=BLUE, servers=(Server(name="a b", host="10.0.0.1", port=1),)),
        Pool(id=BLUE, servers=(Server(name="a:2", host="10.0.0.1", port=1),)),
        Pool(id=BLUE, servers=(Server(name="a", host="name.test", port=1),)),
        Pool(id=BLUE, check=HealthCheck(path="/a\n  server evil 10.0.0.1:1")),
        Pool(id=BLUE, check=HealthCheck(method="GET uri /")),
        Pool(id=BLUE, check=HealthCheck(body="a\n  server evil 10.0.0.1:1")),
        Pool(id=BLUE, check=HealthCheck(tls=True, host="a verify required"), servers=SERVERS[:1]),
        Pool(id=BLUE, check=HealthCheck(headers=(("X: y", "z"),))),
    ],
)
def test_words_that_would_change_the_file_are_refused(pool: Pool) -> None:
    with pytest.raises(Permanent) as seen:
        render(Routing(pools={pool.id: pool}), Layout())
    assert seen.value.code == "balancer_refused"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=40))
def test_a_quoted_text_is_one_word_of_a_shell_like_language(text: str) -> None:
    word = quoted(text)
    assert word.replace("'\\''", "").count("'") == 2
    assert word[1:-1].replace("'\\''", "'") == text


def test_an_ipv6_address_is_told_from_its_port() -> None:
    assert endpoint("fd00:0::1", 80) == "[fd00::1]:80"
