"""What services say about each other."""

import pytest

from tests.unit.stack.files import Folder


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("a: {image: x, links: [bb]}\nb: {image: x}\n", "unknown_service", "did you mean 'b'?"),
        ("a: {image: x, links: [a]}\n", "self_link", "refers to itself"),
        ("a: {image: x, links: [b]}\nb: {image: x, links: [a]}\n", "cycle", "a → b → a"),
        ("a: {image: x, links: ['b.other:b']}\nb: {image: x}\n", "foreign_link", "another stack"),
        ("a b: {image: x}\n", "bad_name", "letters, digits"),
        ("a.b: {image: x}\n", "bad_name", "letters, digits"),
        ("'': {image: x}\n", "bad_name", "letters, digits"),
        ("web_1: {image: x}\nWEB-1: {image: x}\n", "name_collision", "too much alike"),
        (
            "a: {image: x, ports: ['80:80']}\nb: {image: x, ports: ['80:81']}\n",
            "port_clash",
            "both want port 80",
        ),
        ("a: {image: x, ports: ['80:80', '80:81']}\n", "port_clash", "both want port 80"),
        ("a: {image: x, ports: ['80:80'], target_num_containers: 2}\n", "port_clash", "cannot share port 80"),
        (
            "lb: {image: haproxy, links: [a], ports: ['80:80']}\na: {image: x, ports: ['80:80']}\n",
            "port_clash",
            "both want",
        ),
    ],
)
def test_contradictions_are_one_error(folder: Folder, text: str, code: str, says: str) -> None:
    outcome = folder.load(text)
    assert outcome.errors == [code]
    assert says in outcome.text


def test_two_circles_are_both_reported_and_a_long_chain_is_none(folder: Folder) -> None:
    links = {"a": "b", "b": "c", "c": "a", "d": "e", "e": "d"}
    outcome = folder.load("".join(f"{name}: {{image: x, links: [{to}]}}\n" for name, to in links.items()))
    assert outcome.errors == ["cycle", "cycle"]
    assert "a → b → c → a" in outcome.text
    assert "d → e → d" in outcome.text
    chain = "".join(f"s{n}: {{image: x, links: [s{n + 1}]}}\n" for n in range(1200)) + "s1200: {image: x}\n"
    assert folder.load(chain).codes == []


@pytest.mark.parametrize(
    "text",
    [
        "a: {image: x, ports: ['80:80']}\nb: {image: x, ports: ['80:80/udp']}\n",
        "a: {image: x, ports: ['127.0.0.1:80:80']}\nb: {image: x, ports: ['127.0.0.2:80:80']}\n",
        "a: {image: x, ports: ['80']}\nb: {image: x, ports: ['80']}\n",
        "a: {image: x, links: [b, c]}\nb: {image: x, links: [c]}\nc: {image: x}\n",
        "a: {image: x, links: ['b.shop:b']}\nb: {image: x}\n",
    ],
)
def test_what_looks_like_a_contradiction_and_is_none(folder: Folder, text: str) -> None:
    assert folder.load(text).codes == []


def test_a_clash_can_be_mapped_away(folder: Folder) -> None:
    text = "a: {image: x, ports: ['80:80']}\nb: {image: x, ports: ['81:81']}\n"
    assert folder.load(text, publish={81: 80}).errors == ["port_clash"]
    assert folder.load(text, publish={81: 8081}).errors == []


def test_a_link_to_a_balancer_is_a_warning_and_no_dependency(folder: Folder) -> None:
    text = "lb: {image: haproxy, links: [a], ports: ['80:80']}\na: {image: x}\nb: {image: x, links: [lb]}\n"
    outcome = folder.load(text)
    assert outcome.codes == ["link_to_balancer"]
    assert outcome.service("b").links == ()
    assert outcome.service("b").depends_on == ()


def test_the_source_of_a_volume_must_exist(folder: Folder) -> None:
    outcome = folder.load("a: {image: x, volumes_from: [dat]}\ndata: {image: x}\n")
    assert sorted(outcome.errors) == ["unknown_service", "unsupported_key"]
    assert "did you mean 'data'?" in outcome.text


def test_profiles_leave_services_out(folder: Folder) -> None:
    text = "services:\n  web: {image: x}\n  debug: {image: y, profiles: [dev]}\n"
    assert [s.name for s in folder.load(text).spec.services] == ["web"]
    assert len(folder.load(text, env={"COMPOSE_PROFILES": "a, dev"}).spec.services) == 2
    assert len(folder.load(text, env={"COMPOSE_PROFILES": "*"}).spec.services) == 2
    linked = text.replace("{image: x}", "{image: x, links: [debug]}")
    outcome = folder.load(linked)
    assert outcome.errors == ["unknown_service"]
    assert "COMPOSE_PROFILES" in outcome.text


@pytest.mark.parametrize(
    ("dependency", "codes"),
    [
        ("{nope: {condition: service_started, required: false}}", []),
        ("{nope: {condition: service_started}}", ["unknown_service"]),
        ("{job: {condition: service_completed_successfully}}", ["ignored_key"]),
        ("{job: {condition: service_healthy}}", []),
        ("[web]", ["self_link"]),
    ],
)
def test_conditions_of_depends_on(folder: Folder, dependency: str, codes: list[str]) -> None:
    text = f"services:\n  web: {{image: x, depends_on: {dependency}}}\n  job: {{image: y}}\n"
    assert folder.load(text).codes == codes


def test_keys_without_effect_on_a_balancer_are_said(folder: Folder) -> None:
    keys = "mem_limit: 1g, command: run, target_num_containers: 2, restart: always, x-bluegreen: {route: 80}"
    outcome = folder.load(f"lb: {{image: haproxy, links: [a], ports: ['80:80'], {keys}}}\na: {{image: x}}\n")
    assert sorted(outcome.codes) == ["balancer_key_ignored"] * 3 + ["ignored_key"]
    assert [route.name for route in outcome.spec.routes] == ["lb"]
