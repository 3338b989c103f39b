"""Variables that say how requests reach the instances of a service, and how those are checked.

Most may stand on the balancer (for all its links) and on a linked service (for itself).
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.routing import Mode
from bluegreen.stack.balancer_env import words
from bluegreen.stack.balancer_env.draft import Draft, Place
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.scalars import parse_haproxy_time, parse_int, parse_port_number, split_list
from bluegreen.stack.virtual_hosts import parse_virtual_hosts

_OFF = frozenset({"no", "false", "off", "0", "n"})


def balance(draft: Draft, value: str, place: Place) -> None:
    draft.pool = replace(draft.pool, balance=words.balance_word(value))


def mode(draft: Draft, value: str, place: Place) -> None:
    if value not in set(Mode):
        raise Invalid(f"MODE: {value!r} is not supported", suggest(value, [m.value for m in Mode]))
    draft.mode = Mode(value)
    draft.pool = replace(draft.pool, mode=draft.mode)


def timeout(draft: Draft, value: str, place: Place) -> None:
    for item in split_list(value):
        _one_timeout(draft, item)


def _one_timeout(draft: Draft, item: str) -> None:
    name, _, text = item.partition(" ")
    if name in words.CLIENT_TIMEOUTS | words.SERVER_TIMEOUTS | words.OWN_TIMEOUTS:
        seconds = parse_haproxy_time(text)
    else:
        known = sorted(words.CLIENT_TIMEOUTS | words.SERVER_TIMEOUTS | words.OWN_TIMEOUTS)
        raise Invalid(f"TIMEOUT: there is no timeout {name!r}", suggest(name, known))
    if name == "client":
        draft.client_timeout = seconds
    elif name == "check":
        draft.check_timeout = seconds
    elif name in words.CLIENT_TIMEOUTS:
        draft.listener_extra = (*draft.listener_extra, f"timeout {name} {text.strip()}")
    elif name in words.SERVER_TIMEOUTS:
        draft.pool = replace(draft.pool, extra=(*draft.pool.extra, f"timeout {name} {text.strip()}"))
    else:
        draft.pool = replace(draft.pool, **{f"{name}_timeout": seconds})  # type: ignore[arg-type]


def option(draft: Draft, value: str, place: Place) -> None:
    for item in split_list(value):
        one_option(draft, item, place)


def one_option(draft: Draft, item: str, place: Place) -> None:
    """Put one HAProxy option where it belongs: the listener, the pool, or the check."""
    name = words.option_word(item)
    if name == "httpchk":
        draft.check = words.http_check(item.removeprefix("httpchk"), draft.check)
    elif name in words.CHECK_OPTIONS:
        hint = "bluegreen asks the same question itself: only HTTP and TCP checks are known"
        place.warn(f"the check {name!r} is not translated; a TCP check stays", hint)
    elif name == "redispatch":
        return
    else:
        if name in words.FRONTEND_OPTIONS | words.BOTH_OPTIONS:
            draft.listener_options = (*draft.listener_options, item)
        if name in words.BACKEND_OPTIONS | words.BOTH_OPTIONS:
            draft.pool = replace(draft.pool, options=(*draft.pool.options, item))


def http_check(draft: Draft, value: str, place: Place) -> None:
    draft.check = words.http_check(value, draft.check)


def health_check(draft: Draft, value: str, place: Place) -> None:
    draft.check, left, has_check = words.health_check(value, draft.check)
    if not has_check:
        place.warn("without the word `check` HAProxy would not check at all; read as `check`", "add `check`")
    if left:
        draft.pool = replace(draft.pool, server_options=(*draft.pool.server_options, *left))


def route_settings(draft: Draft, value: str, place: Place) -> None:
    if value.strip():
        draft.pool = replace(draft.pool, server_options=(*draft.pool.server_options, value.strip()))


def cookie(draft: Draft, value: str, place: Place) -> None:
    parts = value.split()
    if not parts:
        raise Invalid("COOKIE: the name is missing", "write for example SRV insert indirect nocache")
    dropped = [part for part in parts[1:] if part not in ("insert", "indirect", "nocache")]
    if dropped:
        place.warn(f"`{' '.join(dropped)}` is not translated; the cookie is inserted, indirect, nocache")
    draft.pool = replace(draft.pool, cookie=parts[0])


def force_ssl(draft: Draft, value: str, place: Place) -> None:
    wanted = value.strip().lower() not in _OFF
    if not wanted:
        place.warn(f"{value!r} is read as no; the old balancer took any value as yes", "remove the variable")
    draft.pool = replace(draft.pool, force_ssl=wanted)


def hsts(draft: Draft, value: str, place: Place) -> None:
    draft.pool = replace(draft.pool, hsts_max_age=str(parse_int(value)))


def gzip(draft: Draft, value: str, place: Place) -> None:
    draft.pool = replace(draft.pool, gzip_types=" ".join(value.split()))


def extra_settings(draft: Draft, value: str, place: Place) -> None:
    lines = tuple(words.raw_line(line) for line in split_list(value))
    place.warn("raw lines are passed to HAProxy as they are; it checks them before use")
    draft.pool = replace(draft.pool, extra=(*draft.pool.extra, *lines))


def virtual_host(draft: Draft, value: str, place: Place) -> None:
    draft.virtual_hosts = parse_virtual_hosts(value)


def virtual_host_weight(draft: Draft, value: str, place: Place) -> None:
    draft.host_priority = parse_int(value)


def tcp_ports(draft: Draft, value: str, place: Place) -> None:
    ports = dict(draft.tcp_ports)
    for item in split_list(value):
        port, _, kind = item.partition("/")
        if kind not in ("", "ssl"):
            raise Invalid(f"TCP_PORTS: {item!r} is not a port", "write for example 22, 443/ssl")
        ports[parse_port_number(port)] = kind == "ssl"
    draft.tcp_ports = ports


def exclude_ports(draft: Draft, value: str, place: Place) -> None:
    draft.excluded_ports = frozenset(parse_port_number(item) for item in split_list(value))
