"""What the stack reader makes of old settings, put to the real NGINX: accepted, or named as left out."""

from pathlib import Path

from bluegreen.domain.composition import compose
from bluegreen.domain.naming import first_color, pool_id, route_id
from bluegreen.domain.routing import Routing, Server
from bluegreen.drivers.balancers.nginx import render
from tests.support.nginx_program import HERE, judge
from tests.unit.stack.files import Folder
from tests.unit.stack.test_haproxy_accepts import RICH, certificate


def test_everything_is_translated_or_named(folder: Folder, tmp_path: Path) -> None:
    outcome = folder.load(RICH, env={"CERT": certificate(tmp_path)})
    routing = compose([outcome.spec], Routing())
    for number, pool in enumerate(routing.pools):
        routing = routing.with_servers(pool, (Server(name="one", host="127.0.0.1", port=20000 + number),))
    for route in outcome.spec.routes:
        target = pool_id("shop", route.target, first_color(route.target))
        routing = routing.with_weights(route_id("shop", route.name), {target: 100})
    rendering = render(routing, HERE)
    judge(tmp_path, rendering)
    said = "\n".join(rendering.warnings)
    for words in (
        "tune.bufsize 32768",
        "http-server-close",
        "monitor-uri /alive",
        "set-header X-A a",
        "slowstart",
    ):
        assert words in said
