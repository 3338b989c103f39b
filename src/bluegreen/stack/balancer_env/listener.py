"""Variables that say how the balancer listens, and how its process runs."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.stack.balancer_env import pool, words
from bluegreen.stack.balancer_env.draft import Draft, Place
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.scalars import parse_int, parse_port_number, split_list

_HASHES = ("$1$", "$5$", "$6$")


def maxconn(draft: Draft, value: str, place: Place) -> None:
    draft.maxconn = parse_int(value)
    if draft.maxconn < 1:
        raise Invalid("MAXCONN must be at least 1")
    draft.settings = replace(draft.settings, maxconn=draft.maxconn)


def log_destination(draft: Draft, value: str, place: Place) -> None:
    draft.settings = replace(draft.settings, log_target=value.strip())


def ssl_bind_options(draft: Draft, value: str, place: Place) -> None:
    draft.settings = replace(draft.settings, ssl_bind_options=value.strip())


def ssl_bind_ciphers(draft: Draft, value: str, place: Place) -> None:
    draft.settings = replace(draft.settings, ssl_bind_ciphers=value.strip())


def stats_port(draft: Draft, value: str, place: Place) -> None:
    draft.stats_port = parse_port_number(value)


def stats_auth(draft: Draft, value: str, place: Place) -> None:
    draft.stats_auth = _account(value, place)


def basic_auth(draft: Draft, value: str, place: Place) -> None:
    draft.basic_auth = tuple(_account(item, place) for item in split_list(value))


def _account(text: str, place: Place) -> tuple[str, str]:
    # The value is a secret: it never appears in the message.
    user, colon, password = text.partition(":")
    if not colon or not user or not password or any(c.isspace() for c in text):
        raise Invalid(f"{place.name}: expected user:password, without spaces")
    return user, password


def secure_auth(draft: Draft, value: str, place: Place) -> None:
    accounts = tuple(_account(item, place) for item in split_list(value))
    if not all(hashed.startswith(_HASHES) for _, hashed in accounts):
        hint = "make one with `mkpasswd -m sha-512`, and write $$ for each dollar sign"
        raise Invalid(f"{place.name}: expected user:hash, the hash in the form of crypt(3)", hint)
    draft.basic_auth = (*draft.basic_auth, *accounts)


def certificate(draft: Draft, value: str, place: Place) -> None:
    draft.certificates = (*draft.certificates, pem(value, place.name))


def extra_certificates(draft: Draft, value: str, place: Place) -> None:
    for name in split_list(value):
        if name not in place.environment:
            candidates = [known for known in place.environment if known != place.name]
            raise Invalid(f"{place.name}: there is no variable {name!r}", suggest(name, candidates))
        draft.certificates = (*draft.certificates, pem(place.environment[name], name))


def certificate_folder(draft: Draft, value: str, place: Place) -> None:
    folder = place.host_path(value.rstrip("/"))
    files = sorted(path for path in folder.glob("*.pem") if path.is_file())
    if not files:
        raise Invalid(
            f"{place.name}: there is no .pem file in {folder}", "put chain and key into one .pem file"
        )
    if draft.certificates:
        place.warn("hides the certificates given as variables, as in the old balancer")
    draft.certificates = tuple(pem(place.read(f"{value.rstrip('/')}/{f.name}"), f.name) for f in files)


def client_ca(draft: Draft, value: str, place: Place) -> None:
    draft.client_ca = pem(value, place.name)


def client_ca_file(draft: Draft, value: str, place: Place) -> None:
    draft.client_ca = pem(place.read(value), place.name)


def pem(text: str, name: str) -> str:
    r"""Return a PEM text whose line ends may have been written as ``\n``. Never quotes it."""
    unescaped = text.replace("\\n", "\n").strip() + "\n"
    if "-----BEGIN " not in unescaped or "-----END " not in unescaped:
        raise Invalid(
            f"{name}: this is no certificate in PEM form", r"join the lines of chain and key with \n"
        )
    return unescaped


def bind_settings(draft: Draft, value: str, place: Place) -> None:
    binds = dict(draft.raw_binds)
    for item in split_list(value):
        port, colon, words_ = item.partition(":")
        if not colon or not words_.strip():
            raise Invalid(f"{place.name}: {item!r} is not port:settings", "write for example 80:accept-proxy")
        number = parse_port_number(port.strip())
        binds[number] = (*binds.get(number, ()), words_.strip())
    draft.raw_binds = binds


def frontend_settings(draft: Draft, value: str, place: Place) -> None:
    port = parse_port_number(place.name.rsplit("_", 1)[-1])
    lines = tuple(words.raw_line(line) for line in split_list(value))
    place.warn("raw lines are passed to HAProxy as they are; it checks them before use")
    draft.raw_frontends = {**draft.raw_frontends, port: (*draft.raw_frontends.get(port, ()), *lines)}


def frontend_settings_file(draft: Draft, value: str, place: Place) -> None:
    frontend_settings(draft, _lines(place.read(value)), place)


def global_settings(draft: Draft, value: str, place: Place) -> None:
    lines = tuple(words.raw_line(line) for line in split_list(value))
    place.warn("raw lines are passed to HAProxy as they are; it checks them before use")
    draft.settings = replace(draft.settings, extra=(*draft.settings.extra, *lines))


def global_settings_file(draft: Draft, value: str, place: Place) -> None:
    global_settings(draft, _lines(place.read(value)), place)


def default_settings(draft: Draft, value: str, place: Place) -> None:
    for line in split_list(value):
        _default_line(draft, words.raw_line(line), place)


def default_settings_file(draft: Draft, value: str, place: Place) -> None:
    default_settings(draft, _lines(place.read(value)), place)


def _default_line(draft: Draft, line: str, place: Place) -> None:
    """There is no ``defaults`` section per stack: send each line to the part it speaks of."""
    word, _, rest = line.partition(" ")
    readers = {
        "timeout": pool.timeout,
        "option": pool.option,
        "balance": pool.balance,
        "mode": pool.mode,
        "maxconn": maxconn,
        "cookie": pool.cookie,
    }
    if word in readers:
        readers[word](draft, rest.strip(), place)
    elif word == "retries":
        draft.pool = replace(draft.pool, retries=parse_int(rest))
    else:
        place.warn(f"`{word}` is passed to the listeners as it is; HAProxy checks it before use")
        draft.listener_extra = (*draft.listener_extra, line)


def _lines(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return ",".join(line.replace(",", r"\,") for line in lines if line and not line.startswith("#"))


def monitor_uri(draft: Draft, value: str, place: Place) -> None:
    if not value.startswith("/"):
        raise Invalid(f"MONITOR_URI: {value!r} is not a path", "write for example /ping")
    draft.monitor_path = value
    if "MONITOR_PORT" not in place.environment:
        place.warn("does nothing without MONITOR_PORT", "add MONITOR_PORT")


def monitor_port(draft: Draft, value: str, place: Place) -> None:
    draft.monitor_port = parse_port_number(value)
    if "MONITOR_URI" not in place.environment:
        place.warn("does nothing without MONITOR_URI", "add MONITOR_URI")
