"""What Prometheus is told, read back as Prometheus reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bluegreen.api.metrics.tally import Tally
from bluegreen.domain.access import Role
from bluegreen.domain.naming import PoolId
from bluegreen.engine.commands import releases
from bluegreen.ports.requests import Batch, Seen
from bluegreen.testing.background import running
from tests.support import promtool
from tests.unit.api.scene import SHOP, Scene, play
from tests.unit.engine.world import finished

CONTRIB = Path(__file__).parents[3] / "contrib"
ALERTS, BOARD = CONTRIB / "prometheus-alerts.yml", CONTRIB / "grafana-dashboard.json"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(scene: Scene, path: str = "/metrics", role: Role = Role.VIEWER, *stacks: str) -> Samples:
    answer = await scene.ask("GET", path, await scene.token(role, *stacks))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def labels(**found: str) -> frozenset[tuple[str, str]]:
    return frozenset(found.items())


def test_traffic_instances_and_shares_by_color() -> None:
    async def story(scene: Scene) -> None:
        blue = PoolId("shop.web.blue")
        scene.world.balancer.set_counted(blue, requests=120, errors=3)
        scene.world.balancer.set_in_flight(blue, 7)
        found = await scrape(scene)
        pool = labels(stack="shop", service="web", color="blue")
        assert found["bluegreen_requests_total", pool] == 120
        assert found["bluegreen_request_errors_total", pool] == 3
        assert found["bluegreen_requests_in_flight", pool] == 7
        assert found["bluegreen_live_release", pool] == 1
        assert found["bluegreen_route_share", pool | labels(route="lb")] == 100
        here = labels(state="running", rotation="in")
        assert found["bluegreen_instances", pool | here] == 1
        assert found["bluegreen_balancer_up", labels()] == 1

    play(story)


def test_rollouts_are_counted_when_they_end() -> None:
    async def story(scene: Scene) -> None:
        tally = scene.app.state.context.tally
        assert isinstance(tally, Tally)
        async with running(tally.count()):
            good = await releases.deploy(scene.engine, "web", stack=SHOP, image="web:2")
            during = await scrape(scene)
            under_way = [k for k in during if k[0] == "bluegreen_rollout_running"]
            assert [dict(k[1])["service"] for k in under_way] == ["web"]
            await finished(scene.world, good)
            scene.world.sick.add("web@3")
            bad = await releases.deploy(scene.engine, "web", stack=SHOP, image="web:3")
            await finished(scene.world, bad)
            found = await scrape(scene, "/metrics", Role.ADMIN)
        ended = labels(stack="shop", service="web", kind="deploy")
        assert found["bluegreen_rollouts_total", ended | labels(phase="done")] == 1
        assert found["bluegreen_rollouts_total", ended | labels(phase="aborted")] == 1
        assert found["bluegreen_rollout_until_live_seconds_count", labels(kind="deploy")] == 1
        probed = labels(stack="shop", service="web", purpose="ready")
        assert found["bluegreen_probes_total", probed | labels(outcome="pass")] > 0
        assert found["bluegreen_probes_total", probed | labels(outcome="fail")] > 0
        assert found["bluegreen_service_loops", labels()] == len(scene.engine.ledger.services)

    play(story)


def test_a_balancer_that_is_silent_is_told_as_that_and_nothing_else_is_missing() -> None:
    async def story(scene: Scene) -> None:
        scene.world.balancer.silent = True
        found = await scrape(scene)
        assert found["bluegreen_balancer_up", labels()] == 0
        assert any(name == "bluegreen_instances" for name, _ in found)

    play(story)


def test_a_token_for_one_stack_scrapes_that_one() -> None:
    async def story(scene: Scene) -> None:
        found = await scrape(scene, "/metrics?stack=blog", Role.VIEWER, "blog")
        stacks = {value for _, one in found for name, value in one if name == "stack"}
        assert stacks == {"blog"}

    play(story)


def exposition() -> str:
    """Return what a scrape is told when everything there can be is there."""
    told: list[str] = []

    async def story(scene: Scene) -> None:
        blue = PoolId("shop.web.blue")
        scene.engine.meter.take(Batch(seen={Seen(blue, 200, 20): 90, Seen(blue, 502, 700): 10}))
        scene.world.balancer.set_counted(blue, requests=120, errors=3)
        told.append((await scene.ask("GET", "/metrics", await scene.token(Role.ADMIN))).text)

    play(story)
    return told[0]


def test_prometheus_has_nothing_to_say_against_the_metrics() -> None:
    ours = [line for line in exposition().splitlines(keepends=True) if "bluegreen_" in line]
    assert promtool.check("metrics", said="".join(ours)) == ""


def test_every_alert_and_every_panel_asks_for_what_there_is(tmp_path: Path) -> None:
    families = text_string_to_metric_families(exposition())
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    told = {family.name + end for family in families for end in ends.get(family.type, ("",))}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    board = json.loads(BOARD.read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    shown += [one["expr"] for one in board["annotations"]["list"]]
    assert len(rules) >= 8
    assert len(shown) >= 15
    for asked in [rule["expr"] for rule in rules] + shown:
        assert set(re.findall(r"bluegreen_\w+", asked)) - told == set(), asked
    for rule in rules:
        assert {"summary", "description"} <= set(rule["annotations"])
    assert promtool.check("rules", str(ALERTS)) == ""
    asked_as_rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "1m")}
        for number, expr in enumerate(shown)
    ]
    (tmp_path / "board.yml").write_text(yaml.safe_dump({"groups": [{"name": "b", "rules": asked_as_rules}]}))
    assert promtool.check("rules", str(tmp_path / "board.yml")) == ""


def test_what_users_waited_is_a_histogram_by_color() -> None:
    async def story(scene: Scene) -> None:
        blue, elsewhere = PoolId("shop.web.blue"), PoolId("gone.web.blue")
        seen = {Seen(blue, 200, 20): 90, Seen(blue, 502, 700): 10, Seen(elsewhere, 200, 1): 5}
        scene.engine.meter.take(Batch(seen=seen, lost=4, strange=1))
        found = await scrape(scene, "/metrics", Role.ADMIN)
        pool = labels(stack="shop", service="web", color="blue")
        name = "bluegreen_request_duration_seconds"
        assert found[f"{name}_bucket", pool | labels(le="0.025")] == 90
        assert found[f"{name}_bucket", pool | labels(le="1.0")] == 100
        assert found[f"{name}_bucket", pool | labels(le="+Inf")] == found[f"{name}_count", pool] == 100
        assert found[f"{name}_sum", pool] == pytest.approx(90 * 0.02 + 10 * 0.7)
        assert found["bluegreen_request_duration_failures_total", pool] == 10
        assert found["bluegreen_requests_unmeasured_total", labels(why="lost")] == 4
        assert found["bluegreen_requests_unmeasured_total", labels(why="strange")] == 1
        assert not any("gone" in dict(one).values() for _, one in found)

    play(story)
