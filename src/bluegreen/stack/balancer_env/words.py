r"""HAProxy's language as the old settings used it: checks, timeouts, options, raw lines.

Sources: the configuration manuals of HAProxy 1.7 (what the settings meant) and 2.8 (what they are
called today). Each function raises :class:`Invalid` on what means nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bluegreen.domain.check import HTTPCHK_STATUSES, CheckKind, HealthCheck
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.scalars import parse_haproxy_time, parse_int, parse_port_number

FRONTEND_OPTIONS = frozenset({
    "accept-invalid-http-request", "clitcpka", "contstats", "disable-h2-upgrade", "dontlog-normal",
    "dontlognull", "forwardfor", "h1-case-adjust-bogus-client", "http-ignore-probes",
    "http-no-delay", "http-use-proxy-header", "httplog", "httpslog", "idle-close-on-response",
    "log-separate-errors", "logasap", "socket-stats", "tcp-smart-accept", "tcplog",
})  # fmt: skip
BACKEND_OPTIONS = frozenset({
    "abortonclose", "accept-invalid-http-response", "allbackups", "checkcache",
    "h1-case-adjust-bogus-server", "http-pretend-keepalive", "log-health-checks", "originalto",
    "persist", "prefer-last-server", "redispatch", "srvtcpka", "tcp-smart-connect", "transparent",
})  # fmt: skip
BOTH_OPTIONS = frozenset({
    "http-buffer-request", "http-keep-alive", "http-restrict-req-hdr-names", "http-server-close",
    "httpclose", "independent-streams", "nolinger", "splice-auto", "splice-request",
    "splice-response", "tcpka",
})  # fmt: skip
CHECK_OPTIONS = frozenset({
    "external-check", "ldap-check", "mysql-check", "pgsql-check", "redis-check", "smtpchk",
    "spop-check", "ssl-hello-chk", "tcp-check",
})  # fmt: skip
REMOVED_OPTIONS = {
    "forceclose": "write httpclose",
    "http-tunnel": "leave it out: it does nothing any more",
    "http-proxy": "leave it out: HAProxy has no such option any more",
    "http-no-delay-ack": "leave it out",
}
KNOWN_OPTIONS = FRONTEND_OPTIONS | BACKEND_OPTIONS | BOTH_OPTIONS | CHECK_OPTIONS | {"httpchk"}

BALANCE = frozenset({
    "roundrobin", "static-rr", "leastconn", "first", "source", "uri", "url_param", "random",
    "hash", "log-hash", "rdp-cookie", "hdr",
})  # fmt: skip
CLIENT_TIMEOUTS = frozenset({"http-request", "http-keep-alive", "client-fin", "tarpit"})
SERVER_TIMEOUTS = frozenset({"tunnel", "server-fin"})
OWN_TIMEOUTS = frozenset({"connect", "client", "server", "queue", "check"})

_REMOVED_LINES = (
    (r"(req|reqi)(add)\b", "http-request add-header NAME VALUE (or set-header)"),
    (r"reqi?(rep|pass|allow|deny|tarpit|del|set)\b", "http-request replace-header / del-header / deny"),
    (r"rspi?add\b", "http-response add-header NAME VALUE (or set-header)"),
    (r"rspi?(rep|deny|del)\b", "http-response replace-header / del-header / deny"),
    (r"(nbproc|bind-process|stats\s+bind-process)\b", "nothing: HAProxy uses threads now"),
    (r"(cli|srv|con)timeout\b", "timeout client / server / connect"),
    (r"redisp(atch)?\b", "option redispatch"),
    (r"block\b", "http-request deny if …"),
    (r"appsession\b", "cookie NAME insert indirect nocache"),
    (r"monitor-net\b", "http-request return status 200 if { src … }"),
    (r"mode\s+health\b", "monitor-uri PATH"),
    (
        r"(daemon|pidfile|user|group|chroot|stats\s+socket|master-worker)\b",
        "nothing: bluegreen runs the balancer",
    ),
)
_RESERVED = re.compile(
    r"(global|defaults|frontend|backend|listen|userlist|peers|resolvers|bind|use_backend)\b"
)


def http_check(text: str, check: HealthCheck) -> HealthCheck:
    r"""Return ``check`` asking what ``HTTP_CHECK`` says: ``[METHOD] URI [VERSION[\r\nHeader:\ value]]``."""
    words = re.split(r"(?<!\\) +", text.strip())
    if len(words) == 1:
        words = ["OPTIONS", *(words if words[0] else ["/"])]
    method, path = words[0].upper(), words[1]
    rest = " ".join(words[2:])
    if re.fullmatch(r"[A-Z]{3,10}", method) is None or not path.startswith("/"):
        hint = r"write for example OPTIONS /ping, or GET /ping HTTP/1.1\r\nHost:\ example.com"
        raise Invalid(f"{text!r} is not an HTTP check", hint)
    host, headers = _headers(rest)
    asked = replace(check, kind=CheckKind.HTTP, method=method, path=path, host=host, headers=headers)
    return replace(asked, expect=HTTPCHK_STATUSES)


def _headers(rest: str) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Read what follows the URI: the version, then headers behind literal ``\\r\\n``."""
    host, headers = None, []
    for line in re.split(r"\\r\\n|\r\n", rest)[1:]:
        name, colon, value = line.replace("\\ ", " ").partition(":")
        if not colon or not name.strip():
            raise Invalid(f"{line!r} is not a header", r"write \r\nName:\ value")
        if name.strip().lower() == "host":
            host = value.strip()
        else:
            headers.append((name.strip(), value.strip()))
    return host, tuple(headers)


def health_check(text: str, check: HealthCheck) -> tuple[HealthCheck, tuple[str, ...], bool]:
    """Read ``check inter 2000 rise 1 fall 2 …``.

    Returns the check with its new times, the words that stay options of the server, and whether the
    word ``check`` was there. Times without a unit count milliseconds.
    """
    words, left, has_check = text.split(), [], False
    changes: dict[str, float | int] = {}
    readers = {"inter": parse_haproxy_time, "rise": parse_int, "fall": parse_int, "port": parse_port_number}
    names = {"inter": "interval"}
    while words:
        word = words.pop(0)
        if word == "check":
            has_check = True
        elif word in readers:
            if not words:
                raise Invalid(f"`{word}` has no value", "write for example check inter 2000 rise 1 fall 2")
            changes[names.get(word, word)] = readers[word](words.pop(0))
        else:
            left.append(word)
    if any(value <= 0 for value in changes.values()):
        raise Invalid("inter, rise and fall must be greater than zero")
    return replace(check, **changes), (" ".join(left),) if left else (), has_check  # type: ignore[arg-type]


def option_word(text: str) -> str:
    """Return the option's name. Raises :class:`Invalid` for one that HAProxy does not have (any more)."""
    words = text.split()
    name = words[0] if words else ""
    if name in REMOVED_OPTIONS:
        raise Invalid(f"HAProxy has no option {name!r} any more", REMOVED_OPTIONS[name])
    if name not in KNOWN_OPTIONS:
        raise Invalid(f"{name!r} is not an HAProxy option", suggest(name, sorted(KNOWN_OPTIONS)))
    return name


def raw_line(text: str) -> str:
    """Return a line in HAProxy's language, or raise with what replaces it."""
    line = text.strip()
    if "\n" in line or "\0" in line:
        raise Invalid("a raw setting must be one line", "separate lines with commas")
    for pattern, instead in _REMOVED_LINES:
        if re.match(pattern, line):
            raise Invalid(
                f"`{line.split()[0]}` is refused: today's HAProxy would not start", f"use {instead}"
            )
    if _RESERVED.match(line):
        message = f"`{line.split()[0]}` is refused: sections, binds and backends are bluegreen's"
        raise Invalid(message, "declare ports, links and hosts in the stack file")
    return line


def balance_word(text: str) -> str:
    name = re.match(r"[a-z_-]*", text.strip())
    word = name[0] if name else ""
    if word not in BALANCE:
        raise Invalid(f"{text!r} is not a way to balance", suggest(word, sorted(BALANCE)))
    return text.strip()
