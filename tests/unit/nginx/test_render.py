"""The configuration as text: one golden file, the words that must not change meaning, NGINX's consent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Tls,
)
from bluegreen.drivers.balancers.nginx import Layout, render
from bluegreen.drivers.balancers.nginx.matching import hosts, places
from bluegreen.drivers.balancers.nginx.words import quoted
from tests.support.certificates import self_signed_pem
from tests.support.nginx_program import HERE, judge

GOLDEN = Path(__file__).with_name("golden.conf")
BLUE, GREEN, MAIL, NONE = (
    PoolId(f"shop.{name}") for name in ("web.blue", "web.green", "mail.blue", "new.blue")
)
SERVERS = (
    Server(name="web-1", host="10.0.0.1", port=8080),
    Server(name="web-2", host="fd00::1", port=8080, admin=Admin.DRAIN),
    Server(name="web-3", host="10.0.0.3", port=8080, weight=50, forced_up=True),
)
OPTIONS = PoolOptions(
    balance="leastconn",
    gzip_types="text/html text/plain application/json",
    options=("forwardfor", "http-server-close"),
    server_options=("maxconn 10", "slowstart 10s"),
    extra=("http-request set-header X-A a",),
)
MAINTENANCE = Maintenance(why="moving", page="<p>back at $5 o'clock\n", health_path="/ping", retry_after=9)
ROUTING = Routing(
    listeners={
        80: Listener(port=80, basic_auth=(("ann", "it's"), ("bob", "$6$salt$hash")), extra=("maxconn 5",)),
        25: Listener(port=25, address="::1", mode=Mode.TCP),
    },
    routes={
        route.id: route
        for route in (
            Route(id=RouteId("shop.any"), port=80),
            Route(id=RouteId("shop.a"), port=80, host="A.test", weights={BLUE: 100}),
            Route(id=RouteId("shop.b"), port=80, host="b.test", weights={BLUE: 90, GREEN: 10}),
            Route(id=RouteId("shop.wild"), port=80, host="*.test", weights={GREEN: 100}),
            Route(id=RouteId("shop.api"), port=80, path="/api", weights={NONE: 50, BLUE: 50}),
            Route(id=RouteId("shop.deep"), port=80, host="a.test", path="/api/it's/", weights={NONE: 100}),
            Route(id=RouteId("shop.first"), port=80, path="/x", priority=5, maintenance=MAINTENANCE),
            Route(id=RouteId("shop.shadowed"), port=80, path="/x/y", weights={BLUE: 100}),
            Route(id=RouteId("shop.off"), port=80, host="off.test", maintenance=MAINTENANCE),
            Route(id=RouteId("shop.mail"), port=25, weights={MAIL: 100}),
        )
    },
    pools={
        BLUE: Pool(id=BLUE, servers=SERVERS, options=OPTIONS),
        GREEN: Pool(id=GREEN, servers=SERVERS[:1], options=PoolOptions(cookie="SRV", passive_errors=None)),
        MAIL: Pool(id=MAIL, servers=SERVERS[:1], options=PoolOptions(mode=Mode.TCP)),
        NONE: Pool(id=NONE, servers=SERVERS[1:2]),
    },
    settings=Globals(
        log_target="127.0.0.1:514",
        ssl_bind_options="no-sslv3 prefer-client-ciphers",
        ssl_bind_ciphers="HIGH:!aNULL",
        stats=(Stats(port=1936, user="stats", password="stats"),),
        extra=("tune.bufsize 32768",),
    ),
)


def test_the_whole_configuration_is_as_recorded() -> None:
    rendering = render(ROUTING, Layout(generation=7))
    files = "".join(f"# file {name}\n{text}" for name, text in sorted(rendering.files.items()))
    warnings = "".join(f"# warning: {words}\n" for words in rendering.warnings)
    assert rendering.config + files + warnings == GOLDEN.read_text()


def test_nginx_accepts_it(tmp_path: Path) -> None:
    assert "[warn]" not in judge(tmp_path, render(ROUTING, HERE))


def test_nginx_accepts_nothing_at_all(tmp_path: Path) -> None:
    judge(tmp_path, render(Routing(), HERE))


def test_a_certificate_is_chosen_by_its_names(tmp_path: Path) -> None:
    pems = (self_signed_pem("first.test"), self_signed_pem("*.shop.test", "c.test"))
    tls = Tls(certificates=pems, client_ca=pems[0], bind_options=("alpn h2",))
    options = replace(OPTIONS, force_ssl=True, hsts_max_age="31536000")
    routing = Routing(
        listeners={443: Listener(port=443, tls=tls, bind_options=("accept-proxy", "v4v6"))},
        routes={
            RouteId("shop.a"): Route(id=RouteId("shop.a"), port=443, host="a.shop.test", weights={BLUE: 100})
        },
        pools={BLUE: Pool(id=BLUE, servers=SERVERS, options=options)},
    )
    rendering = render(routing, HERE)
    judge(tmp_path, rendering)
    used = {}
    for block in rendering.config.split("server {")[1:]:
        words = [line.split() for line in block.splitlines() if line.strip()]
        found = {line[0]: line[1].strip(";") for line in words if len(line) > 1}
        used[found["server_name"]] = rendering.files[found["ssl_certificate"]]
    chosen = {host: pems.index(pem) for host, pem in used.items()}
    assert chosen == {"_": 0, "first.test": 0, "c.test": 1, "a.shop.test": 1, "*.shop.test": 1}
    assert "max-age=31536000; includeSubDomains" in rendering.config
    assert "return 301" not in rendering.config
    assert any("'v4v6'" in words for words in rendering.warnings)


def test_without_tls_force_ssl_redirects() -> None:
    pool = replace(ROUTING.pools[BLUE], options=PoolOptions(force_ssl=True, hsts_max_age="1"))
    config = render(replace(ROUTING, pools={**ROUTING.pools, BLUE: pool}), Layout()).config
    assert "return 301 https://$host$request_uri;" in config
    assert "Strict-Transport-Security" not in config


@pytest.mark.parametrize("maintenance", [False, True])
def test_a_pool_without_a_server_that_serves_is_never_named(tmp_path: Path, maintenance: bool) -> None:
    route = Route(id=RouteId("shop.web"), port=80, weights={BLUE: 60, GREEN: 40})
    pools = {
        BLUE: Pool(id=BLUE, servers=tuple(replace(s, admin=Admin.MAINT) for s in SERVERS)),
        GREEN: Pool(id=GREEN, servers=(replace(SERVERS[0], weight=0),)),
    }
    if maintenance:
        route = replace(route, maintenance=MAINTENANCE)
    routing = Routing(listeners={80: Listener(port=80)}, routes={route.id: route}, pools=pools)
    rendering = render(routing, HERE)
    judge(tmp_path, rendering)
    assert "upstream" not in rendering.config.replace("proxy_next_upstream", "")
    assert "return 503" in rendering.config


@pytest.mark.parametrize(
    ("options", "directive"),
    [
        (PoolOptions(balance="roundrobin"), ""),
        (PoolOptions(balance="leastconn"), "least_conn;"),
        (PoolOptions(balance="random"), "random;"),
        (PoolOptions(balance="source"), "hash $remote_addr consistent;"),
        (PoolOptions(balance="uri"), "hash $request_uri consistent;"),
        (PoolOptions(balance="hdr(X-User-Id)"), "hash $http_x_user_id consistent;"),
        (PoolOptions(balance="url_param user"), "hash $arg_user consistent;"),
        (PoolOptions(cookie="SRV"), "hash $remote_addr consistent;"),
    ],
)
def test_every_way_of_balancing_that_nginx_has(tmp_path: Path, options: PoolOptions, directive: str) -> None:
    pools = {**ROUTING.pools, BLUE: Pool(id=BLUE, servers=SERVERS, options=options)}
    rendering = render(replace(ROUTING, pools=pools), HERE)
    judge(tmp_path, rendering)
    block = rendering.config.partition(f"upstream {BLUE} {{")[2].partition("}")[0]
    assert directive in block
    assert ("hash" in block) is directive.startswith("hash")


def test_what_cannot_be_translated_is_said() -> None:
    options = PoolOptions(balance="rdp-cookie", server_options=("send-proxy",), mode=Mode.TCP)
    pools = {**ROUTING.pools, MAIL: Pool(id=MAIL, servers=SERVERS[:1], options=options)}
    said = "\n".join(render(replace(ROUTING, pools=pools), Layout()).warnings)
    for words in ("rdp-cookie", "send-proxy", "tune.bufsize", "X-A a", "slowstart", "maxconn 5", "SRV"):
        assert (words in said) is (words != "SRV"), words
    assert "session cookies" in said
    assert "'option http-server-close'" in said
    assert "forwardfor" not in said


@pytest.mark.parametrize(
    "changed",
    [
        {"pools": {BLUE: Pool(id=BLUE, servers=(Server(name="a b", host="10.0.0.1", port=1),))}},
        {"pools": {BLUE: Pool(id=BLUE, servers=(Server(name="a", host="name.test", port=1),))}},
        {"pools": {BLUE: Pool(id=BLUE, servers=SERVERS[:1] * 2)}},
        {"pools": {BLUE: Pool(id=BLUE, servers=SERVERS, options=PoolOptions(gzip_types="a;b"))}},
        {"pools": {}},
        {"listeners": {}},
        {"listeners": {80: Listener(port=80, tls=Tls())}},
        {"listeners": {80: Listener(port=80, address="1;")}},
        {"listeners": {80: Listener(port=80, basic_auth=(("a:b", "c"),))}},
        {"listeners": {80: Listener(port=80, basic_auth=(("a", "b\nc"),))}},
        {"settings": Globals(log_target="a b")},
        {"settings": Globals(ssl_bind_ciphers="A; B")},
        {"routes": {RouteId("a b"): Route(id=RouteId("a b"), port=80)}},
        {"routes": {RouteId("a"): Route(id=RouteId("a"), port=80, host="a;b")}},
        {"routes": {RouteId("a"): Route(id=RouteId("a"), port=80, host="a.*.b")}},
        {"routes": {RouteId("a"): Route(id=RouteId("a"), port=80, path="no-slash")}},
        {"routes": {RouteId("a"): Route(id=RouteId("a"), port=80, path="/a\n}")}},
        {"routes": {RouteId("a"): Route(id=RouteId("a"), port=80, weights={BLUE: 50})}},
    ],
)
def test_words_that_would_change_the_file_are_refused(changed: dict[str, object]) -> None:
    route = Route(id=RouteId("shop.web"), port=80, weights={BLUE: 100})
    sound = Routing(
        listeners={80: Listener(port=80)}, routes={route.id: route}, pools={BLUE: ROUTING.pools[BLUE]}
    )
    assert render(sound, Layout())
    with pytest.raises(Permanent) as seen:
        render(replace(sound, **changed), Layout())  # type: ignore[arg-type]
    assert seen.value.code == "balancer_refused"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=40))
def test_a_quoted_text_can_be_read_back(text: str) -> None:
    word = quoted(text)
    assert word[0] == word[-1] == '"'
    assert word[1:-1].replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\") == text


PATHS = st.sampled_from([None, "/", "/a", "/a/", "/ab", "/a/b", "/a/b/c"])
HOSTS = st.sampled_from([None, "a.test", "b.a.test", "*.test", "*.a.test", "other.test"])
ROUTES = st.lists(st.tuples(HOSTS, PATHS, st.integers(0, 1)), max_size=8).map(
    lambda rows: [
        Route(id=RouteId(f"r{n}"), port=80, host=host, path=path, priority=priority)
        for n, (host, path, priority) in enumerate(rows)
    ]
)


@given(
    ROUTES,
    st.sampled_from(["a.test", "b.a.test", "x.a.test", "x.test", "nowhere"]),
    st.sampled_from(["/", "/a", "/a/", "/ab", "/abc", "/a/b", "/a/b/c/d", "/b"]),
)
def test_nginx_finds_the_route_that_the_rules_say(routes: list[Route], host: str, path: str) -> None:
    """What NGINX does (exact server, longest wildcard, default; then exact or longest location) against the
    rules of :class:`Route` said plainly."""
    assert _by_nginx(routes, host, path) == _by_the_rules(routes, host, path)


def _by_the_rules(routes: list[Route], host: str, path: str) -> Route | None:
    def fits(route: Route) -> bool:
        wild = route.host is not None and route.host.startswith("*.") and host.endswith(route.host[1:])
        return path.startswith(route.path or "") and (route.host in (None, host) or wild)

    def rank(route: Route) -> tuple[int, int, int, int, str]:
        kind = 0 if route.host == host else 2 if route.host is None else 1
        return -route.priority, -len(route.path or ""), kind, -len(route.host or ""), route.id

    return min(filter(fits, routes), key=rank, default=None)


def _by_nginx(routes: list[Route], host: str, path: str) -> Route | None:
    known = hosts(routes)
    wild = sorted((h for h in known if h.startswith("*.") and host.endswith(h[1:])), key=len)
    server = host if host in known else wild[-1] if wild else "_"
    found = places(routes, server)
    exact = [place for place in found if place.exact and place.path == path]
    fitting = [place for place in found if not place.exact and path.startswith(place.path)]
    return (exact or [max(fitting, key=lambda place: len(place.path))])[0].route
