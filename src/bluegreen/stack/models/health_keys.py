"""The keys of ``x-bluegreen`` that say when an instance is well, who looks after it, and how it ends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from bluegreen.domain.agent import Agent
from bluegreen.domain.check import HealthCheck, signs_of_life
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.stack import values
from bluegreen.stack.fields import (
    Assignments,
    Bool,
    Command,
    Count,
    Duration,
    Expects,
    Host,
    Label,
    Line,
    PortNumber,
    Word,
)
from bluegreen.stack.models.support import Keys, key

_CHECK = HealthCheck()
_AGENT = Agent()
_LIFE = signs_of_life(_CHECK)
_POLICY = RolloutPolicy()

_Kind = Literal["http", "tcp", "exec", "none"]


class AskedKeys(Keys):
    """What a check asks, and how: the same words for whoever asks."""

    type: _Kind | None = key("How to ask.")
    method: Word | None = key("HTTP method.")
    path: Word | None = key("HTTP path.")
    host: Host | None = key("Host header, and the name asked for by TLS; the instance's address when absent.")
    headers: Assignments = key("More request headers.", {})
    expect: Expects = key("Statuses that count as healthy: one, a range, or a list of both.", _CHECK.expect)
    body: Line | None = key("Text that the first 8 KiB of the answer must contain.")
    tls: Bool | None = key("Ask by TLS. The certificate is not verified.")
    command: Command | None = key("What `type: exec` runs inside the instance; well if it ends with 0.")
    port: PortNumber | None = key("Port to ask, when it is not the one that carries the traffic.")
    interval: Duration = key("Time between two checks.", _CHECK.interval)
    timeout: Duration | None = key("Time the whole check may take.")
    connect_timeout: Duration | None = key(
        "Time our own probe may take to connect, a TLS handshake included; `timeout` when absent. HAProxy "
        "has no such bound: it takes the shorter of `balancer.connect_timeout` and the interval."
    )
    rise: Count = key("Successes in a row that make an instance healthy.", 1)
    fall: Count = key("Failures in a row that make an instance sick.", _CHECK.fall)
    start_period: Duration | None = key("Time after the start in which failures do not count.")


class CheckKeys(AskedKeys):
    type: _Kind = key(
        "How to ask: an HTTP request, only a connection, or a command inside the instance (HAProxy, which "
        "cannot run it, then asks for a connection).",
        "http",
    )
    method: Word = key("HTTP method.", _CHECK.method)
    path: Word = key("HTTP path.", _CHECK.path)
    timeout: Duration | None = key("Time the whole check may take; the interval when absent.")
    start_period: Duration = key("Time after the start in which failures do not count.", 0.0)


class AgentKeys(AskedKeys):
    """With ``compat``, what is absent is that of the original agent."""

    mode: Literal["safe", "compat", "off"] = key(
        "`safe` takes a sick instance out of rotation, drains, stops and starts it, and never touches the "
        "last one that serves; `compat` ends the main process at the first failure, as Docker Cloud's "
        "agent did (`HEAD /ping`, 10 s, 3 s, 2xx or 3xx); `off` restarts nothing.",
        _AGENT.mode.value,
    )
    drain: Duration = key("Time the requests in flight of a sick instance get to end.", _AGENT.drain)
    budget: Count = key("Restarts within `window`, at most; then the agent stops and alarms.", _AGENT.budget)
    window: Duration = key("Time in which `budget` counts.", _AGENT.window)
    type: _Kind | None = key("How to ask. With this or a key below, the agent asks all the time by itself.")
    method: Word | None = key("HTTP method; that of `check` when absent.")
    path: Word | None = key("HTTP path; that of `check` when absent.")
    interval: Duration = key("Time between two checks.", _LIFE.interval)
    timeout: Duration | None = key("Time the whole check may take (3 s).")
    fall: Count = key("Failures in a row that make an instance sick.", _LIFE.fall)
    start_period: Duration | None = key(
        "Time after the start in which failures do not count; that of `check` when absent."
    )


class DrainKeys(Keys):
    deadline: Duration = key("Time requests in flight get to end.", _POLICY.drain)
    cut_after: Duration | None = key(
        "Time after the switch at which the balancer closes what is still open to the old color: WebSockets, "
        "event streams, long polls. Their clients come back to the new one."
    )
    long_lived: Literal["wait"] = key(
        "`wait` treats such connections as any request; it is what happens without `cut_after`.", "wait"
    )


def _check(value: object) -> object:
    if not isinstance(value, str):
        return value
    asked = values.parse_check(value)
    said: dict[str, object] = {"type": asked.kind.value}
    if asked.command:
        return said | {"command": list(asked.command)}
    return said | ({"method": asked.method, "path": asked.path} if asked.kind == "http" else {})


def _agent(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


def _drain(value: object) -> object:
    return {"deadline": value} if isinstance(value, str) else value


Check = Annotated[
    CheckKeys,
    BeforeValidator(_check, json_schema_input_type=str | CheckKeys),
    Label("`OPTIONS /ping`, `tcp`, `exec COMMAND`, `none`, or map"),
]
AgentWords = Annotated[
    AgentKeys,
    BeforeValidator(_agent, json_schema_input_type=str | bool | AgentKeys),
    Label("`safe`, `compat`, `off`, or map"),
]
Drain = Annotated[
    DrainKeys,
    BeforeValidator(_drain, json_schema_input_type=str | float | DrainKeys),
    Label("duration, or map"),
]
