"""The ``x-bluegreen`` key, the same in both dialects: how a service is routed, checked, released."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.stack import values
from bluegreen.stack.fields import (
    Bool,
    Command,
    Count,
    CountOrOff,
    Duration,
    Host,
    Label,
    Listen,
    Name,
    PortNumber,
    Text,
    TextList,
    Word,
)
from bluegreen.stack.models.health_keys import AgentWords, Check, Drain
from bluegreen.stack.models.support import Keys, key
from bluegreen.stack.problems import Invalid

_DEFAULTS = RolloutPolicy()


class RouteKeys(Keys):
    port: PortNumber | None = key("Port on which the balancer listens; 80 when nothing is said.")
    host: Host | None = key(
        "Host name to answer for (`*.` in front for all names below); any host when absent."
    )
    path: Word | None = key("Path prefix to answer for; any path when absent.")
    listen: Listen | None = key("Address, port or both to listen on, for example `127.0.0.1:8080`.")
    mode: Literal["http", "tcp"] = key("`tcp` passes bytes through without reading them.", "http")
    certificates: TextList = key("PEM files (chain and key in one) that make the listener speak TLS.", ())
    balancer: Name | None = key("Name of the balancer that carries the route.", None)
    name: Name | None = key("Name of the route, for `bluegreen switch`.")


class ProcessKeys(Keys):
    command: Command = key("What the process runtime runs; `{port}` and `{python}` are filled in.", ())
    directory: Word | None = key("Folder to run it in, relative to the stack file.")


class BalancerKeys(Keys):
    driver: Literal["haproxy", "nginx"] | None = key("What carries the routes.")
    balance: Word | None = key("How requests are spread: `roundrobin`, `leastconn`, `source` and the like.")
    cookie: Word | None = key("Name of a cookie that pins a client to an instance.")
    connect_timeout: Duration | None = key("Time to connect to an instance (5 s).")
    server_timeout: Duration | None = key("Time an instance may stay silent (50 s).")
    queue_timeout: Duration | None = key("Time a request may wait for a free instance (5 s).")
    client_timeout: Duration | None = key("Time a client may stay silent (50 s).")
    retries: Count | None = key("Attempts to connect before a request fails (3).")
    passive_errors: CountOrOff | None = key(
        "Failed answers in a row (5xx, or none) that take an instance out until its check passes again (10)."
    )
    keep_last_good: Bool | None = key(
        "Goes on sending requests when the check fails on all instances at the same time (true)."
    )
    maxconn: Count | None = key("Connections accepted at the same time (4096).")
    force_ssl: Bool | None = key("Redirect plain HTTP to HTTPS.")
    hsts_max_age: Word | None = key("Seconds that browsers shall insist on HTTPS.")
    gzip_types: Text | None = key("Content types to compress.")
    options: TextList = key("HAProxy options, without the word `option`.", ())
    extra: TextList = key("Raw lines in the balancer's own language.", ())


def _route(value: object) -> object:
    if not isinstance(value, str):
        return value
    address, port = values.parse_listen(value)
    host = f"[{address}]" if ":" in address else address
    return {"listen": f"{host}:{port}" if address and port else host or str(port)}


def _routes(value: object) -> object:
    return value if isinstance(value, list) else [value]


Route = Annotated[RouteKeys, BeforeValidator(_route, json_schema_input_type=str | int | RouteKeys)]
Routes = Annotated[
    tuple[Route, ...],
    BeforeValidator(_routes, json_schema_input_type=str | int | RouteKeys | list[str | int | RouteKeys]),
    Label('`"80"`, map, or list of maps'),
]


def _shares(value: object) -> tuple[int, ...]:
    if value in ("bluegreen", "blue-green", "blue/green"):
        return (100,)
    steps: Any = value.get("canary") if isinstance(value, dict) and set(value) == {"canary"} else None
    if value == "canary":
        steps = ["5", "25", "50"]
    if isinstance(steps, list) and all(isinstance(step, str) for step in steps):
        return values.parse_shares(steps)
    raise Invalid("unknown strategy", "write bluegreen, canary, or {canary: [5, 25, 50]}")


Strategy = Annotated[
    tuple[int, ...],
    PlainValidator(_shares),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["bluegreen", "canary"]},
                {
                    "type": "object",
                    "properties": {"canary": {"type": "array", "items": {"type": "integer"}}},
                    "additionalProperties": False,
                },
            ]
        }
    ),
    Label("`bluegreen`, `canary`, or `{canary: [5, 25, 50]}`"),
]


class OwnKeys(Keys):
    """Everything bluegreen adds to a service."""

    route: Routes = key(
        "What the balancer sends to this service. Makes it a managed one, with two colors.", ()
    )
    check: Check | None = key(
        "When an instance is well: asked by bluegreen before it gets traffic, and by the balancer after."
    )
    agent: AgentWords | None = key(
        "Who looks after instances that run but do not answer. Without it, or with `safe` and no more, the "
        "agent asks for a sign of life while something says that an instance is sick."
    )
    strategy: Strategy = key("`bluegreen` moves all traffic in one step, `canary` in several.", (100,))
    step_pause: Duration = key("Time each step of a canary is held.", _DEFAULTS.step_pause)
    bake: Duration = key("Time the old color stays warm after the switch.", _DEFAULTS.bake)
    drain: Drain | None = key("How requests in flight on the old color end.")
    pre_stop: Command | None = key("Command run inside an instance before its stop signal.")
    start_deadline: Duration = key("Time each phase before the switch may take.", _DEFAULTS.start_deadline)
    max_restarts: Count = key("Crashes of one new instance that a rollout forgives.", _DEFAULTS.max_restarts)
    stop_first: Bool = key(
        "Stops the old release before the new one starts, for what cannot run twice. Unrouted services "
        "with a fixed host port or a writable volume do so anyway.",
        False,
    )
    secret_environment: TextList = key(
        "Names of variables of `environment` whose values nobody is shown. Those whose names give them away "
        "(`PASSWORD`, `SECRET`, `TOKEN`, `_KEY` and the like) are secret anyway.",
        (),
    )
    replicas: Count | None = key("Number of instances.")
    port: PortNumber | None = key("Port that carries the routed traffic.")
    process: ProcessKeys | None = key("How the process runtime runs the service.")
    balancer: BalancerKeys | None = key("How requests to this service are balanced; on a balancer: to all.")

    def policy(self) -> RolloutPolicy:
        """Return the bounds of a rollout."""
        return replace(
            _DEFAULTS,
            start_deadline=self.start_deadline,
            shares=self.strategy,
            step_pause=self.step_pause,
            bake=self.bake,
            drain=_DEFAULTS.drain if self.drain is None else self.drain.deadline,
            cut_after=None if self.drain is None else self.drain.cut_after,
            max_restarts=self.max_restarts,
            stop_first=self.stop_first,
        )
