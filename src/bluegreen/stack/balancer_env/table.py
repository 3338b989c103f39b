"""Every variable the old balancer knew: what it becomes today, or why it becomes nothing.

The one source for translation, for problems and for the reference. Read by :mod:`apply`, in the
order of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bluegreen.stack.balancer_env import listener, pool
from bluegreen.stack.balancer_env.draft import Apply


class On(Enum):
    """Where a variable is read: on the balancer, on a service linked to it, or on both."""

    BALANCER = "balancer"
    SERVICE = "linked service"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable. ``#`` at the end of the name stands for a port or a name.

    ``apply`` of ``None`` means it is not translated, and ``becomes`` says why; ``quiet`` ones are
    not even warned about, because what they were for is done anyway.
    """

    name: str
    on: On
    becomes: str
    apply: Apply | None = None
    quiet: bool = False
    default: str = ""

    def matches(self, variable: str) -> bool:
        if not self.name.endswith("#"):
            return variable == self.name
        return variable.startswith(self.name[:-1]) and len(variable) >= len(self.name)


_ENGINE = "bluegreen knows the instances from its runtime"

SETTINGS: tuple[Setting, ...] = (
    Setting("MODE", On.BALANCER, "mode of listeners and pools: `http` or `tcp`", pool.mode, default="http"),
    Setting(
        "MAXCONN",
        On.BALANCER,
        "`maxconn` of the process and of each listener",
        listener.maxconn,
        default="4096",
    ),
    Setting("BALANCE", On.BOTH, "`balance` of the pools", pool.balance, default="roundrobin"),
    Setting(
        "TIMEOUT",
        On.BALANCER,
        "timeouts; bare numbers are milliseconds; `check` is the time a check may take",
        pool.timeout,
        default="connect 5000, client 50000, server 50000",
    ),
    Setting(
        "OPTION",
        On.BOTH,
        "`option` lines of listeners and pools; `redispatch` is always on",
        pool.option,
        default="redispatch, httplog, dontlognull, forwardfor",
    ),
    Setting(
        "HEALTH_CHECK",
        On.BOTH,
        "interval, rise, fall and port of the check; other words stay options of each server",
        pool.health_check,
        default="check inter 2000 rise 2 fall 3",
    ),
    Setting(
        "HTTP_CHECK",
        On.BOTH,
        "the HTTP request of the check, by balancer and bluegreen alike; on the balancer the default "
        "for all links (the old one ignored it there)",
        pool.http_check,
    ),
    Setting("EXTRA_ROUTE_SETTINGS", On.BOTH, "options of each server", pool.route_settings),
    Setting("COOKIE", On.BOTH, "name of the cookie that pins a client to an instance", pool.cookie),
    Setting(
        "FORCE_SSL", On.BOTH, "redirect to HTTPS; `no` means no (the old one took it as yes)", pool.force_ssl
    ),
    Setting("HSTS_MAX_AGE", On.BOTH, "`Strict-Transport-Security` in responses", pool.hsts),
    Setting("GZIP_COMPRESSION_TYPE", On.BOTH, "content types to compress", pool.gzip),
    Setting("EXTRA_SETTINGS", On.SERVICE, "raw lines of the pool", pool.extra_settings),
    Setting(
        "VIRTUAL_HOST", On.BOTH, "routes: `[scheme://]host[:port][/path]`, comma separated", pool.virtual_host
    ),
    Setting(
        "VIRTUAL_HOST_WEIGHT", On.BOTH, "priority of these routes", pool.virtual_host_weight, default="0"
    ),
    Setting("TCP_PORTS", On.BOTH, "a TCP listener and a route per port; `/ssl` ends TLS", pool.tcp_ports),
    Setting("EXCLUDE_PORTS", On.SERVICE, "ports that do not carry routed traffic", pool.exclude_ports),
    Setting("RSYSLOG_DESTINATION", On.BALANCER, "log target of the process", listener.log_destination),
    Setting("SSL_BIND_OPTIONS", On.BALANCER, "`ssl-default-bind-options`", listener.ssl_bind_options),
    Setting("SSL_BIND_CIPHERS", On.BALANCER, "`ssl-default-bind-ciphers`", listener.ssl_bind_ciphers),
    Setting("STATS_PORT", On.BALANCER, "port of the statistics page", listener.stats_port, default="1936"),
    Setting(
        "STATS_AUTH",
        On.BALANCER,
        "account of the statistics page",
        listener.stats_auth,
        default="stats:stats",
    ),
    Setting("HTTP_BASIC_AUTH", On.BALANCER, "accounts of all HTTP listeners", listener.basic_auth),
    Setting(
        "HTTP_BASIC_AUTH_SECURE",
        On.BALANCER,
        "accounts with hashed passwords (alone, the old one protected nothing)",
        listener.secure_auth,
    ),
    Setting(
        "DEFAULT_SSL_CERT", On.BOTH, "certificate of the TLS listeners, the first one", listener.certificate
    ),
    Setting("SSL_CERT", On.BOTH, "certificate of the TLS listeners", listener.certificate),
    Setting(
        "EXTRA_SSL_CERTS",
        On.BALANCER,
        "names of variables with more certificates",
        listener.extra_certificates,
    ),
    Setting("CERT_FOLDER", On.BALANCER, "all `.pem` files of a mounted folder", listener.certificate_folder),
    Setting("CA_CERT", On.BALANCER, "CA that client certificates must come from", listener.client_ca),
    Setting("CA_CERT_FILE", On.BALANCER, "the same, from a mounted file", listener.client_ca_file),
    Setting(
        "EXTRA_BIND_SETTINGS",
        On.BALANCER,
        "words after `bind`, per port: `80:accept-proxy`",
        listener.bind_settings,
    ),
    Setting(
        "EXTRA_FRONTEND_SETTINGS_FILE_#",
        On.BALANCER,
        "the same, from a mounted file",
        listener.frontend_settings_file,
    ),
    Setting(
        "EXTRA_FRONTEND_SETTINGS_#",
        On.BALANCER,
        "raw lines of the listener on that port",
        listener.frontend_settings,
    ),
    Setting(
        "EXTRA_GLOBAL_SETTINGS_FILE",
        On.BALANCER,
        "the same, from a mounted file",
        listener.global_settings_file,
    ),
    Setting("EXTRA_GLOBAL_SETTINGS", On.BALANCER, "raw lines of the process", listener.global_settings),
    Setting(
        "EXTRA_DEFAULT_SETTINGS_FILE",
        On.BALANCER,
        "the same, from a mounted file",
        listener.default_settings_file,
    ),
    Setting(
        "EXTRA_DEFAULT_SETTINGS",
        On.BALANCER,
        "raw lines, each sent where it belongs",
        listener.default_settings,
    ),
    Setting(
        "MONITOR_URI",
        On.BALANCER,
        "path that the balancer answers itself, with MONITOR_PORT",
        listener.monitor_uri,
    ),
    Setting("MONITOR_PORT", On.BALANCER, "port of MONITOR_URI", listener.monitor_port),
    Setting(
        "NBPROC", On.BALANCER, "ignored: HAProxy uses one thread per CPU now, processes are gone", default="1"
    ),
    Setting("FAILOVER", On.SERVICE, "ignored: a route keeps its last good color, there is no backup pool"),
    Setting(
        "EXCLUDE_BASIC_AUTH", On.SERVICE, "ignored: accounts hold for a whole listener, this service's too"
    ),
    Setting(
        "FORCE_DEFAULT_BACKEND",
        On.BALANCER,
        "ignored: what no route matches is answered with 503",
        default="True",
    ),
    Setting("SKIP_FORWARDED_PROTO", On.BALANCER, "ignored: `X-Forwarded-Proto` is always set"),
    Setting(
        "ADDITIONAL_BACKEND_FILE_#", On.BALANCER, "ignored: declare the backend as a service and link it"
    ),
    Setting("ADDITIONAL_BACKEND_#", On.BALANCER, "ignored: declare the backend as a service and link it"),
    Setting("ADDITIONAL_SERVICES", On.BALANCER, "ignored: link the services in the stack file"),
    Setting("HAPROXY_USER", On.BALANCER, "ignored: the balancer runs as bluegreen's user", quiet=True),
    Setting("HAPROXY_GROUP", On.BALANCER, "ignored: the balancer runs as bluegreen's user", quiet=True),
    Setting("RELOAD_TIMEOUT", On.BALANCER, "not needed: a switch needs no reload", quiet=True),
    Setting("SWARM_MODE_POLLING_INTERVAL", On.BALANCER, f"not needed: {_ENGINE}", quiet=True),
    Setting(
        "SERVICE_PORTS",
        On.SERVICE,
        "not needed: the port is `expose`d or set in `x-bluegreen.port`",
        quiet=True,
    ),
    Setting("DEBUG", On.BALANCER, "not needed: see `bluegreen events`", quiet=True),
    Setting("DOCKERCLOUD_#", On.BALANCER, f"not needed: {_ENGINE}", quiet=True),
    Setting("HOSTNAME", On.BALANCER, f"not needed: {_ENGINE}", quiet=True),
)


def setting_for(variable: str) -> Setting | None:
    return next((setting for setting in SETTINGS if setting.matches(variable)), None)
