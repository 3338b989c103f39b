"""``load``: the whole way from files to a :class:`StackSpec`.

The order: layers → models → members → services and balancers → what holds between them. Each
stage reports and goes on; whether there is a spec is decided at the very end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec
from bluegreen.stack import balancers, graph, managed
from bluegreen.stack.agents import agent_of
from bluegreen.stack.dotenv import read_env_file
from bluegreen.stack.environment import environment_of
from bluegreen.stack.layers import Combined, Dialect, combine
from bluegreen.stack.members import Member, balancer_driver
from bluegreen.stack.models.compose import ComposeService, ComposeTop
from bluegreen.stack.models.docker_cloud import DockerCloudService
from bluegreen.stack.problems import Loaded, Problem, Severity, sort_key
from bluegreen.stack.services import Whole, links_of, service_spec
from bluegreen.stack.tree import MapNode, Report
from bluegreen.stack.validation import validate


def load_stack(
    files: Sequence[Path], name: str | None, environment: Mapping[str, str], publish: Mapping[int, int]
) -> Loaded:
    """See :func:`bluegreen.stack.load`."""
    found: list[Problem] = []
    spec = _load(files, name, environment, publish, found)
    problems = tuple(sorted(dict.fromkeys(found), key=sort_key))
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    return Loaded(None if failed else spec, problems)


def _load(
    files: Sequence[Path],
    name: str | None,
    environment: Mapping[str, str],
    publish: Mapping[int, int],
    found: list[Problem],
) -> StackSpec | None:
    if not files:
        hint = "name one with -f, or create bluegreen.yml"
        found.append(Problem(Severity.ERROR, "", 0, 0, "", "there is no stack file", hint, "no_file"))
        return None
    values = {**_dotenv(files[0], environment, found), **environment}
    combined = combine(files, values, found)
    if combined is None:
        return None
    report = Report(combined.root, found)
    top = _top(combined, report)
    stack = stack_name(name, values, top, files[0], combined.dialect)
    whole = Whole(stack, combined.dialect, top, values, publish)
    members, skipped = _members(combined, whole, report)
    if not members and not any(p.severity is Severity.ERROR for p in found):
        report.error("no_services", "the stack has no service", hint="add at least one service")
    return _stack(members, skipped, whole, ", ".join(str(path) for path in files))


def _dotenv(first: Path, environment: Mapping[str, str], found: list[Problem]) -> dict[str, str]:
    path = first.parent / ".env"
    return read_env_file(path, environment, found) if path.is_file() else {}


def _top(combined: Combined, report: Report) -> ComposeTop:
    if combined.dialect is Dialect.DOCKER_CLOUD:
        return ComposeTop()
    others = {name: e for name, e in combined.root.entries.items() if name != "services"}
    result = validate(ComposeTop, replace(combined.root, entries=others), report)
    return result[0] if result else ComposeTop()


def stack_name(
    name: str | None, values: Mapping[str, str], top: ComposeTop, first: Path, dialect: Dialect
) -> str:
    """Return the stack's name: asked for, ``COMPOSE_PROJECT_NAME``, the file's, or its folder's."""
    project = values.get("COMPOSE_PROJECT_NAME") if dialect is Dialect.COMPOSE else None
    chosen = name or project or top.name or first.absolute().parent.name
    return re.sub(r"[^a-z0-9_-]+", "-", chosen.lower()).strip("-_") or "stack"


def _members(combined: Combined, whole: Whole, report: Report) -> tuple[dict[str, Member], frozenset[str]]:
    model = ComposeService if combined.dialect is Dialect.COMPOSE else DockerCloudService
    members: dict[str, Member] = {}
    skipped = set()
    for name, entry in combined.services.entries.items():
        place = report.under(*combined.prefix, name)
        if _left_out(entry.value, whole.outer):
            skipped.add(name)
            continue
        result = validate(model, entry.value, place)
        if graph.check_name(name, place) and result is not None:
            service, place = result
            members[name] = Member(
                name, service, environment_of(service, whole.outer, place), place, balancer_driver(service)
            )
    return members, frozenset(skipped)


def _left_out(service: object, outer: Mapping[str, str]) -> bool:
    """Tell whether ``profiles`` leaves the service out; a malformed one is left to the model."""
    profiles = service.get("profiles") if isinstance(service, MapNode) else None
    if profiles is None:
        return False
    wanted = {profile.strip() for profile in outer.get("COMPOSE_PROFILES", "").split(",")}
    items = getattr(profiles, "items", (profiles,))
    names = {getattr(item, "text", None) for item in (items if isinstance(items, tuple) else (profiles,))}
    return bool(names) and None not in names and not (names & wanted) and "*" not in wanted


def _stack(members: dict[str, Member], skipped: frozenset[str], whole: Whole, source: str) -> StackSpec:
    graph.check_collisions(members)
    graph.check_links(members, skipped, whole.stack)
    graph.check_cycles(members)
    built = {m.name: balancers.build(m, members, whole.publish) for m in members.values() if m.driver}
    declared = {name: one.spec for name, one in built.items()}
    routes = tuple(route for one in built.values() for route in one.routes)
    specs, routes = managed.add_managed(members, declared, routes, whole.publish)
    checks: dict[str, HealthCheck] = {}
    ports: dict[str, int] = {}
    for one in built.values():
        checks = {**one.checks, **checks}
        ports = {**one.ports, **ports}
    plain = [member for member in members.values() if member.driver is None]
    ordinary = frozenset(member.name for member in plain)
    services = tuple(_service(member, ordinary, whole, checks, ports) for member in plain)
    graph.check_ports(members, specs, whole.publish, {s.name: s.replicas for s in services})
    routed = frozenset(name for route in routes for name in route.candidates)
    graph.check_host_network(members, services, routed)
    return StackSpec(
        name=whole.stack, services=services, balancers=tuple(specs.values()), routes=routes, source=source
    )


def _service(
    member: Member,
    ordinary: frozenset[str],
    whole: Whole,
    checks: Mapping[str, HealthCheck],
    ports: Mapping[str, int],
) -> ServiceSpec:
    spec = service_spec(member.name, member.service, whole, member.report)
    ordinary -= {member.name}
    links = tuple(link for link in links_of(member.service) if link.service in ordinary)
    after = dict.fromkeys((*graph.dependencies(member), *(link.service for link in links)))
    check = checks.get(member.name, spec.check)
    return replace(
        spec,
        links=links,
        depends_on=tuple(name for name in after if name in ordinary),
        check=check,
        agent=agent_of(member.service, check, member.report),
        port=ports.get(member.name, spec.port),
    )
