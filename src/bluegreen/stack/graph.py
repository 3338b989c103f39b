"""What the services of a stack say about each other: links, order, names, host ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from bluegreen.domain.naming import NAME_HINT, is_name
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import BalancerSpec
from bluegreen.stack.members import Member
from bluegreen.stack.models.compose import ComposeService
from bluegreen.stack.problems import suggest
from bluegreen.stack.tree import PathParts, Report


def check_name(name: str, report: Report) -> bool:
    """Tell whether ``name`` can name a service; report if not."""
    if is_name(name):
        return True
    report.error("bad_name", f"{name!r} cannot name a service", hint=NAME_HINT, key=True)
    return False


def check_collisions(members: Mapping[str, Member]) -> None:
    """Report names that differ only in case or in ``-`` and ``_``: they are one name in DNS or in links."""
    seen: dict[str, str] = {}
    for name, member in members.items():
        folded = name.lower().replace("_", "-")
        if folded in seen:
            message = f"{name!r} and {seen[folded]!r} are too much alike to be told apart by name"
            member.report.error("name_collision", message, hint="rename one of them", key=True)
        seen.setdefault(folded, name)


def check_links(members: Mapping[str, Member], skipped: frozenset[str], stack: str) -> None:
    """Report links, ``depends_on`` and ``volumes_from`` that lead nowhere."""
    for member in members.values():
        for index, link in enumerate(member.service.links):
            if link.stack is not None and link.stack != stack:
                message = f"the link to {link.service}.{link.stack} leads to another stack"
                hint = "publish a port there and name it in the environment"
                member.report.error("foreign_link", message, "links", index, hint=hint)
            else:
                _check_target(member, link.service, members, skipped, ("links", index))
        for name in dependencies(member):
            _check_dependency(member, name, members, skipped)
        for index, name in enumerate(_volume_sources(member)):
            _check_target(member, name, members, skipped, ("volumes_from", index))


def _check_dependency(
    member: Member, name: str, members: Mapping[str, Member], skipped: frozenset[str]
) -> None:
    service = member.service
    details = service.depends_on[name] if isinstance(service, ComposeService) else None
    details = details if isinstance(details, dict) else {}
    optional = str(details.get("required")).lower() in ("false", "no")
    if name in members or not optional:
        _check_target(member, name, members, skipped, ("depends_on", name))
    if details.get("condition") == "service_completed_successfully":
        message = f"{name} is started first but not waited for until it ends"
        hint = "run one-off work from the entrypoint, or before `bluegreen up`"
        member.report.warn("ignored_key", message, "depends_on", name, hint=hint)


def _volume_sources(member: Member) -> list[str]:
    named = member.service.volumes_from
    return [str(item).split(":")[0] for item in named] if isinstance(named, list) else []


def dependencies(member: Member) -> tuple[str, ...]:
    service = member.service
    return tuple(service.depends_on) if isinstance(service, ComposeService) else ()


def _check_target(
    member: Member, name: str, members: Mapping[str, Member], skipped: frozenset[str], path: PathParts
) -> None:
    if name == member.name:
        member.report.error("self_link", f"{name} refers to itself", *path, hint="remove it")
    elif name in skipped:
        hint = "enable its profile with COMPOSE_PROFILES, or remove the reference"
        member.report.error("unknown_service", f"{name} is left out by its profile", *path, hint=hint)
    elif name not in members:
        others = [other for other in members if other != member.name]
        member.report.error(
            "unknown_service", f"there is no service {name!r}", *path, hint=suggest(name, others)
        )
    elif members[name].driver is not None and member.driver is None and path[0] == "links":
        message = f"{name} is a balancer: it runs on the host and is not reached by a link"
        hint = f"link the service behind it, or use the host's address and the port of {name}"
        member.report.warn("link_to_balancer", message, *path, hint=hint)


def check_cycles(members: Mapping[str, Member]) -> None:
    """Report each circle of links and ``depends_on``: nothing in it could start first."""
    waits = {
        name: [target for target in (*member.linked, *dependencies(member)) if target in members]
        for name, member in members.items()
    }
    waits = {name: [target for target in targets if target != name] for name, targets in waits.items()}
    while (circle := _circle(waits)) is not None:
        first = min(circle, key=list(members).index)
        turned = circle[circle.index(first) :] + circle[: circle.index(first)]
        message = f"these services wait for each other: {' → '.join([*turned, first])}"
        members[first].report.error("cycle", message, hint="remove one of the links", key=True)
        waits[first] = []


def _circle(waits: Mapping[str, list[str]]) -> list[str] | None:
    """Return one circle in the order of waiting, each name once."""
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[:0:-1]
    return None


@dataclass(frozen=True, slots=True)
class _Claim:
    """A host port that somebody wants."""

    port: int
    protocol: str
    address: str
    owner: str
    report: Report


def check_ports(
    members: Mapping[str, Member],
    balancers: Mapping[str, BalancerSpec],
    publish: Mapping[int, int],
    replicas: Mapping[str, int],
) -> None:
    """Report host ports that two parts of the stack want, or that several instances would want."""
    claims = [claim for member in members.values() for claim in _service_claims(member, publish, replicas)]
    claims += [claim for spec in balancers.values() for claim in _balancer_claims(spec, members)]
    claims.sort(key=lambda claim: (claim.report.mark().line, claim.report.mark().column))
    for index, claim in enumerate(claims):
        other = next((c for c in claims[:index] if _clash(c, claim)), None)
        if other is not None:
            message = f"{claim.owner} and {other.owner} both want port {claim.port} of the host"
            hint = f"publish one of them elsewhere, for example {claim.port + 10000}"
            claim.report.error("port_clash", message, hint=hint)


def _clash(one: _Claim, other: _Claim) -> bool:
    same = (one.port, one.protocol) == (other.port, other.protocol)
    wild = {"", "0.0.0.0", "::"}
    return same and (one.address == other.address or bool(wild & {one.address, other.address}))


def _service_claims(member: Member, publish: Mapping[int, int], replicas: Mapping[str, int]) -> list[_Claim]:
    if member.driver is not None:
        return []
    claims = []
    for index, group in enumerate(member.service.ports):
        report = member.report.under("ports", index)
        for port in group:
            if port.host is None:
                continue
            host = publish.get(port.host, port.host)
            claims.append(_Claim(host, port.protocol, port.address, member.name, report))
            _check_room(member, host, port.container, replicas, report)
    return claims


def _check_room(
    member: Member, host: int, container: int, replicas: Mapping[str, int], report: Report
) -> None:
    hint = f'write "{container}" to let the host choose, or route the service through the balancer'
    if replicas.get(member.name, 1) > 1:
        message = f"{replicas[member.name]} instances of {member.name} cannot share port {host} of the host"
        report.error("port_clash", message, hint=hint)
    elif member.service.own.route:
        message = f"both colors of {member.name} would want port {host} of the host"
        report.error("port_clash", message, hint=hint)


def check_host_network(
    members: Mapping[str, Member], services: Iterable[ServiceSpec], routed: frozenset[str]
) -> None:
    """Warn of routed services in the host's network: two colors would want the same port there."""
    for spec in services:
        if spec.name in routed and spec.container.network_mode == "host":
            message = (
                f"{spec.name} is routed and in the network of the host: both colors would want the same port"
            )
            hint = "remove it, so that each instance has an address of its own"
            key = "net" if "net" in members[spec.name].service.model_fields_set else "network_mode"
            members[spec.name].report.warn("host_network", message, key, hint=hint, key=True)


def _balancer_claims(spec: BalancerSpec, members: Mapping[str, Member]) -> list[_Claim]:
    if spec.name in members:
        report = members[spec.name].report.under("ports")
    else:
        report = members[spec.links[0].service].report.under("x-bluegreen", "route")
    wanted = [(listener.port, listener.address) for listener in spec.listeners]
    wanted += [(page.port, page.address) for page in spec.settings.stats]
    return [_Claim(port, "tcp", address, spec.name, report) for port, address in wanted]
