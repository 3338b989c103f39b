# ruff: noqa: E501 -- rows of a table stay on one line
"""Which images are balancers; links, ports and virtual hosts as routes; managed services."""

import pytest

from bluegreen.domain.routing import Mode
from bluegreen.stack.members import image_repository
from bluegreen.stack.virtual_hosts import VirtualHost, parse_virtual_hosts
from tests.unit.stack.files import Folder, Outcome

PEM = "-----BEGIN X-----\\nA\\n-----END X-----"


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("haproxy", "haproxy"),
        ("haproxy:2.8", "haproxy"),
        ("dockercloud/haproxy:latest", "dockercloud/haproxy"),
        ("localhost:5000/dockercloud/haproxy:1@sha256:00", "dockercloud/haproxy"),
        ("mirror.example/library/haproxy", "library/haproxy"),
        ("localhost/haproxy", "haproxy"),
        ("team/app", "team/app"),
    ],
)
def test_the_repository_of_an_image(image: str, repository: str) -> None:
    assert image_repository(image) == repository


@pytest.mark.parametrize(
    ("image", "more", "driver"),
    [
        ("dockercloud/haproxy", "links: [web]", "haproxy"),
        ("tutum/haproxy:0.2", "links: [web]", "haproxy"),
        ("haproxy", "links: [web]", "haproxy"),
        ("haproxy:2.8-alpine", "", "haproxy"),
        ("mirror.example:5000/dockercloud/haproxy", "links: [web]", "haproxy"),
        ("team/haproxy", "links: [web]", "haproxy"),
        ("team/haproxy", "", None),
        ("nginx:1.25", "links: [web]", "nginx"),
        ("nginx", "x-bluegreen: {balancer: {}}", "nginx"),
        ("nginx", "", None),
        ("team/nginx-app", "links: [web]", None),
        ("haproxytech/exporter", "links: [web]", None),
    ],
)
def test_which_images_are_balancers(folder: Folder, image: str, more: str, driver: str | None) -> None:
    outcome = folder.load(f"lbx:\n  image: {image}\n  ports: ['80:80']\n  {more}\nweb: {{image: x}}\n")
    if driver is None:
        assert outcome.spec.balancers == ()
        assert outcome.service("lbx").image == image
    else:
        assert outcome.balancer().driver == driver
        assert outcome.spec.service("lbx") is None


def cloud(folder: Folder, lbx: str, services: str, **options: object) -> Outcome:
    text = "lbx:\n  image: dockercloud/haproxy\n" + "".join(f"  {line}\n" for line in lbx.splitlines())
    return folder.load(text + services, **options)  # type: ignore[arg-type]


TWO = "web-green: {image: x}\nweb-blue: {image: y}\n"


def routes(outcome: Outcome) -> list[tuple[str, int, str, str | None, str | None]]:
    return [(r.name, r.port, r.target, r.host, r.path) for r in outcome.spec.routes]


def test_one_link_and_one_port_are_one_route_named_like_the_balancer(folder: Folder) -> None:
    outcome = cloud(folder, "links: [web-green]\nports: ['80:80']", TWO)
    assert routes(outcome) == [("lbx", 80, "web-green", None, None)]
    assert outcome.spec.routes[0].candidates == ("web-green", "web-blue")
    assert [link.service for link in outcome.balancer().links] == ["web-green"]
    assert outcome.codes == []


def test_host_ports_are_mapped_elsewhere_on_request(folder: Folder) -> None:
    services = TWO + "db:\n  image: db\n  ports: ['5432:5432']\n"
    outcome = cloud(
        folder, "links: [web-green]\nports: ['80:80']", services, publish={80: 18080, 5432: 15432}
    )
    assert routes(outcome)[0][1] == 18080
    assert outcome.balancer().listeners[0].port == 18080
    assert outcome.service("db").ports[0].host == 15432


def test_tls_shares_the_target_and_the_routes_are_named_by_port(folder: Folder) -> None:
    lbx = f"links: [web-green]\nports: ['80:80', '8443:443']\nenvironment: {{SSL_CERT: '{PEM}'}}"
    outcome = cloud(folder, lbx, TWO)
    assert routes(outcome) == [
        ("lbx-80", 80, "web-green", None, None),
        ("lbx-443", 8443, "web-green", None, None),
    ]
    assert outcome.balancer().listeners[1].tls is not None


def test_port_443_without_a_certificate_is_left_out_with_a_warning(folder: Folder) -> None:
    outcome = cloud(folder, "links: [web-green]\nports: ['80:80', '443:443']", TWO)
    assert outcome.codes == ["no_certificate"]
    assert [listener.port for listener in outcome.balancer().listeners] == [80]


def test_virtual_hosts_make_routes_of_their_own(folder: Folder) -> None:
    services = (
        "shop:\n  image: x\n  environment: ['VIRTUAL_HOST=shop.example, *.shop.example', VIRTUAL_HOST_WEIGHT=3]\n"
        "blog:\n  image: x\n  environment: ['VIRTUAL_HOST=http://example.com/blog/*']\n"
    )
    outcome = cloud(folder, "links: [shop, blog]\nports: ['80:80']", services)
    assert routes(outcome) == [
        ("lbx-shop-example", 80, "shop", "shop.example", None),
        ("lbx-any-shop-example", 80, "shop", "*.shop.example", None),
        ("lbx-example-com-blog", 80, "blog", "example.com", "/blog/"),
    ]
    assert [route.priority for route in outcome.spec.routes] == [3, 3, 0]
    assert outcome.codes == []


def test_two_colors_with_one_virtual_host_are_one_route(folder: Folder) -> None:
    services = (
        "web-green: {image: x, environment: {VIRTUAL_HOST: a.example}}\n"
        "web-blue: {image: x, environment: {VIRTUAL_HOST: a.example}}\n"
    )
    outcome = cloud(folder, "links: [web-blue, web-green]\nports: ['80:80']", services)
    assert routes(outcome) == [("lbx", 80, "web-blue", "a.example", None)]
    assert outcome.spec.routes[0].candidates == ("web-blue", "web-green")
    assert outcome.codes == ["two_colors_linked"]


def test_two_services_for_the_same_requests_are_explained(folder: Folder) -> None:
    outcome = cloud(folder, "links: [web, api]\nports: ['80:80']", "web: {image: x}\napi: {image: y}\n")
    assert routes(outcome) == [("lbx", 80, "web", None, None)]
    assert outcome.spec.routes[0].candidates == ("web", "api")
    assert outcome.codes == ["shared_route"]
    assert "web (the first) is live" in outcome.text


def test_tcp_ports_are_listeners_and_routes_of_their_own(folder: Folder) -> None:
    services = "git: {image: x, environment: {TCP_PORTS: '22'}}\nweb: {image: y}\n"
    outcome = cloud(folder, "links: [web, git]\nports: ['80:80', '2222:22']", services)
    assert [(listener.port, listener.mode) for listener in outcome.balancer().listeners] == [
        (80, Mode.HTTP),
        (2222, Mode.TCP),
    ]
    assert routes(outcome) == [("lbx-80", 80, "web", None, None), ("lbx-22", 2222, "git", None, None)]
    assert outcome.service("git").port == 22
    assert outcome.balancer().pool_options["git"].mode is Mode.TCP
    assert outcome.codes == []


def test_one_service_cannot_carry_http_and_tcp(folder: Folder) -> None:
    services = "web: {image: x, environment: {TCP_PORTS: '22'}}\n"
    outcome = cloud(folder, "links: [web]\nports: ['80:80', '2222:22']", services)
    assert outcome.errors == ["mixed_modes"]
    assert folder.compose("x-bluegreen: {route: [{mode: tcp, port: 1}, {port: 2}]}").errors == ["mixed_modes"]


def test_a_routed_service_in_the_network_of_the_host_is_a_warning(folder: Folder) -> None:
    services = "web-green: {image: x, net: host}\n"
    outcome = cloud(folder, "links: [web-green]\nports: ['80:80']", services)
    assert outcome.codes == ["host_network"]
    assert folder.compose("network_mode: host\nx-bluegreen: {route: 80}").codes == ["host_network"]


def test_a_tcp_port_may_end_tls(folder: Folder) -> None:
    lbx = f"links: [web-green]\nports: ['993:993']\nenvironment: {{TCP_PORTS: 993/ssl, SSL_CERT: '{PEM}'}}"
    (listener,) = cloud(folder, lbx, TWO).balancer().listeners
    assert listener.mode is Mode.TCP
    assert listener.tls is not None


def test_published_statistics_need_an_account_of_their_own(folder: Folder) -> None:
    outcome = cloud(folder, "links: [web-green]\nports: ['80:80', '8081:1936']", TWO)
    (page,) = outcome.balancer().settings.stats
    assert (page.port, page.address, page.user) == (8081, "", "stats")
    assert outcome.codes == ["default_password"]


def test_excluded_ports_do_not_carry_traffic(folder: Folder) -> None:
    services = "web:\n  image: x\n  expose: ['9000', '80']\n  environment: {EXCLUDE_PORTS: '9000'}\n"
    assert cloud(folder, "links: [web]\nports: ['80:80']", services).service().port == 80


@pytest.mark.parametrize(
    ("lbx", "codes"),
    [
        ("links: [web-green]", ["no_listener"]),
        ("ports: ['80:80']", ["no_links"]),
        ("links: [nope]\nports: ['80:80']", ["unknown_service"]),
        ("links: [web-green]\nports: ['80']", ["host_port_assumed"]),
        ("links: [web-green]\nports: ['80:80/udp']", ["bad_value"]),
        ("links: [lbx]\nports: ['80:80']", ["self_link"]),
    ],
)
def test_balancers_that_could_not_work(folder: Folder, lbx: str, codes: list[str]) -> None:
    assert [
        c for c in cloud(folder, lbx, TWO).codes if c != "no_listener" or codes == ["no_listener"]
    ] == codes


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a.example", [VirtualHost("a.example")]),
        ("A.Example", [VirtualHost("a.example")]),
        ("*.a.example", [VirtualHost("*.a.example")]),
        ("*", [VirtualHost()]),
        ("*/path", [VirtualHost(None, None, "/path")]),
        ("http://a", [VirtualHost("a", 80)]),
        ("https://a/", [VirtualHost("a", 443)]),
        ("wss://a:8443/ws", [VirtualHost("a", 8443, "/ws")]),
        ("a:8080, b/x/*", [VirtualHost("a", 8080), VirtualHost("b", None, "/x/")]),
        ("a, a", [VirtualHost("a")]),
    ],
)
def test_virtual_hosts(text: str, hosts: list[VirtualHost]) -> None:
    assert list(parse_virtual_hosts(text)) == hosts


def test_a_virtual_host_on_a_port_nobody_listens_on(folder: Folder) -> None:
    services = "web: {image: x, environment: {VIRTUAL_HOST: 'http://a:8080'}}\n"
    outcome = cloud(folder, "links: [web]\nports: ['80:80']", services)
    assert outcome.errors == ["no_listener"]
    assert '"8080:8080"' in outcome.text


# --- managed services ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "port", "address"),
    [
        ("80", 80, ""),
        ("'8080'", 8080, ""),
        ("127.0.0.1", 80, "127.0.0.1"),
        ("127.0.0.1:8080", 8080, "127.0.0.1"),
        ("'[::1]:8080'", 8080, "::1"),
        ("{}", 80, ""),
        ("{port: 81}", 81, ""),
        ("{listen: '127.0.0.1:82'}", 82, "127.0.0.1"),
        ("{listen: 127.0.0.1, port: 83}", 83, "127.0.0.1"),
    ],
)
def test_where_a_managed_service_is_reached(folder: Folder, route: str, port: int, address: str) -> None:
    outcome = folder.compose(f"x-bluegreen: {{route: {route}}}")
    (listener,) = outcome.balancer("balancer").listeners
    assert (listener.port, listener.address) == (port, address)
    assert routes(outcome) == [("web", port, "web", None, None)]
    assert outcome.codes == []


def test_several_routes_of_one_service(folder: Folder) -> None:
    outcome = folder.compose(
        "x-bluegreen: {route: [{host: a.example}, {host: b.example, path: /x}, {port: 81, name: side}]}"
    )
    assert routes(outcome) == [
        ("web-a-example", 80, "web", "a.example", None),
        ("web-b-example-x", 80, "web", "b.example", "/x"),
        ("side", 81, "web", None, None),
    ]
    assert [listener.port for listener in outcome.balancer("balancer").listeners] == [80, 81]


def test_all_managed_services_share_one_balancer(folder: Folder) -> None:
    text = "services:\n  web: {image: x, x-bluegreen: {route: {host: a.b}, check: /ping, balancer: {balance: source}}}\n"
    outcome = folder.load(text + "  api: {image: y, x-bluegreen: {route: {host: c.d}}}\n")
    (balancer,) = outcome.spec.balancers
    assert [link.service for link in balancer.links] == ["web", "api"]
    assert len(balancer.listeners) == 1
    assert balancer.pool_checks["web"].path == "/ping"
    assert balancer.pool_options["web"].balance == "source"


def test_two_colors_may_both_be_managed(folder: Folder) -> None:
    outcome = folder.load(
        "web-green: {image: x, x-bluegreen: {route: 80}}\nweb-blue: {image: y, x-bluegreen: {route: 80}}\n"
    )
    assert routes(outcome) == [("web-green", 80, "web-green", None, None)]


def test_a_route_may_hang_on_a_declared_balancer(folder: Folder) -> None:
    services = "web: {image: x, x-bluegreen: {route: {balancer: lbx, port: 8080}}}\n" + TWO
    outcome = cloud(folder, "links: [web-green]\nports: ['80:80']", services)
    assert [b.name for b in outcome.spec.balancers] == ["lbx"]
    assert [listener.port for listener in outcome.balancer().listeners] == [80, 8080]
    assert [route.name for route in outcome.spec.routes] == ["lbx", "web"]


def test_certificates_of_a_route(folder: Folder) -> None:
    folder.write("web.pem", "-----BEGIN X-----\nA\n-----END X-----\n")
    outcome = folder.compose("x-bluegreen: {route: {certificates: web.pem}}")
    (listener,) = outcome.balancer("balancer").listeners
    assert listener.port == 443
    assert listener.tls is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "web: {image: x, x-bluegreen: {route: 80}}\napi: {image: y, x-bluegreen: {route: 80}}\n",
            "route_clash",
        ),
        ("web: {image: x, x-bluegreen: {route: 80}}\nbalancer: {image: y}\n", "name_collision"),
        ("web: {image: x, x-bluegreen: {route: {balancer: lbxx}}}\n", "unknown_balancer"),
        ("web: {image: x, x-bluegreen: {route: {listen: 81, port: 80}}}\n", "conflicting_keys"),
        ("web: {image: x, x-bluegreen: {route: {certificates: nope.pem}}}\n", "file_unreadable"),
        ("web: {image: x, ports: ['3000:3000'], x-bluegreen: {route: 80}}\n", "port_clash"),
        ("web: {image: x, x-bluegreen: {route: {mode: tcp, host: a}}}\n", "conflicting_keys"),
        ("web: {image: x, x-bluegreen: {route: {name: a b}}}\n", "bad_value"),
        (
            "web: {image: x, x-bluegreen: {route: [{port: 1, name: a}, {port: 2, name: a}]}}\n",
            "name_collision",
        ),
        (
            "web: {image: x, x-bluegreen: {route: [{host: a}, {host: b, listen: 127.0.0.1}]}}\n",
            "conflicting_keys",
        ),
    ],
)
def test_managed_services_that_contradict_themselves(folder: Folder, text: str, code: str) -> None:
    assert folder.load(text).errors == [code]


def test_a_tcp_route(folder: Folder) -> None:
    outcome = folder.compose("x-bluegreen: {route: {mode: tcp, port: 5432}}")
    balancer = outcome.balancer("balancer")
    assert balancer.listeners[0].mode is Mode.TCP
    assert balancer.pool_options["web"].mode is Mode.TCP
