"""The nested parts of a Compose service: deploy, health check, logging, files, short forms."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from bluegreen.domain.spec import RestartPolicy
from bluegreen.stack.fields import (
    Assignments,
    Bool,
    Command,
    Count,
    Cpus,
    Duration,
    FileMode,
    Int,
    Label,
    Size,
    Word,
)
from bluegreen.stack.models.support import Keys, key, refused, unneeded, warned
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.scalars import parse_int


class ResourceKeys(Keys):
    cpus: Cpus | None = key("Number of CPUs.")
    memory: Size | None = key("Memory.")
    pids: Int | None = key("Number of tasks.")
    devices: Any = refused(
        "`devices` under `deploy.resources` is not supported: use `devices` of the service."
    )


class ResourcesKeys(Keys):
    limits: ResourceKeys | None = key("Upper bounds.")
    reservations: ResourceKeys | None = key("What is kept free; only `memory` has an effect.")


class RestartKeys(Keys):
    condition: Literal["none", "on-failure", "any"] = key("When to start again.", "any")
    max_attempts: Count | None = key("How often.")
    delay: Any = warned("`delay` is ignored: restarts back off by themselves.")
    window: Any = warned("`window` is ignored: health is decided by the check.")


class DeployKeys(Keys):
    replicas: Count | None = key("Number of instances.")
    resources: ResourcesKeys | None = key("Limits and reservations.")
    restart_policy: RestartKeys | None = key("When an instance that ended is started again.")
    mode: Literal["replicated", "global"] = key("On one host `global` means one instance.", "replicated")
    labels: Any = warned("`deploy.labels` is ignored: put labels on the service.")
    update_config: Any = warned("`update_config` is ignored: see `x-bluegreen.strategy`, `bake` and `drain`.")
    rollback_config: Any = warned("`rollback_config` is ignored: going back is one switch of the balancer.")
    placement: Any = warned("`placement` is ignored: there is one host, so every service runs on it.")
    endpoint_mode: Any = warned("`endpoint_mode` is ignored: traffic comes through the balancer.")


def _health_test(value: object) -> tuple[str, ...]:
    """Return Docker's form: ``CMD`` and words, ``CMD-SHELL`` and a line, or ``NONE``."""
    words = ["CMD-SHELL", value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Invalid("expected a command line, or a list of words", _TEST_HINT)
    kind, rest = words[0] if words else "", words[1:]
    if kind not in ("CMD", "CMD-SHELL", "NONE"):
        raise Invalid("the list does not begin with CMD, CMD-SHELL or NONE", _TEST_HINT)
    if kind != "NONE" and not "".join(rest).strip():
        raise Invalid("the command is empty", _TEST_HINT)
    if len(rest) > {"CMD": len(rest), "CMD-SHELL": 1, "NONE": 0}[kind]:
        raise Invalid(f"{rest[1] if kind == 'CMD-SHELL' else rest[0]!r} is too much after {kind}", _TEST_HINT)
    return tuple(words)


_TEST_HINT = "write for example [CMD, curl, -f, http://localhost/ping], or a line for the shell"
HealthTest = Annotated[
    tuple[str, ...],
    PlainValidator(_health_test),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    Label("command line, or list that begins with `CMD`, `CMD-SHELL` or `NONE`"),
]


class HealthcheckKeys(Keys):
    test: HealthTest = key(
        "The command. A `curl` or `wget` of a URL, or any other where there is `x-bluegreen.process`, is "
        "also the check of the rollout.",
        (),
    )
    interval: Duration | None = key("Time between two checks.")
    timeout: Duration | None = key("Time an answer may take.")
    retries: Count | None = key("Failures in a row that make an instance sick.")
    start_period: Duration | None = key("Time after the start in which failures do not count.")
    start_interval: Any = unneeded("`start_interval` is not needed: bluegreen asks often while it proves.")
    disable: Bool = key("Switches the image's own health check off.", False)


class HookKeys(Keys):
    """One entry of ``pre_stop``."""

    command: Command = key("The command, run inside the instance.", ())
    user: Any = refused("`user` of a hook is not supported: it runs as the service's own user.")
    privileged: Any = refused("`privileged` of a hook is not supported: it runs with the service's rights.")
    working_dir: Any = refused("`working_dir` of a hook is not supported: change it in the command.")
    environment: Any = refused("`environment` of a hook is not supported: set it in the command.")


class LoggingKeys(Keys):
    driver: Word | None = key("Log driver of the engine.")
    options: Assignments = key("Options of the log driver.", {})


class FileReferenceKeys(Keys):
    """Long form of one entry of ``configs`` or ``secrets``."""

    source: Word = key("Name at the top level.", "")
    target: Word | None = key("Path inside the container.")
    uid: Any = warned("`uid` is ignored: files are mounted as they are on the host.")
    gid: Any = warned("`gid` is ignored: files are mounted as they are on the host.")
    mode: FileMode | None = warned("`mode` is ignored: files are mounted as they are on the host.")


class EnvFileKeys(Keys):
    path: Word = key("The file.", "")
    required: Bool = key("Whether its absence is an error.", True)
    format: Any = warned("`format` is ignored: env files are read by the usual rules.")


class ExtendsKeys(Keys):
    service: Word = key("Service to start from.", "")
    file: Word | None = key("File that defines it.")


def _restart(value: object) -> tuple[RestartPolicy, int | None]:
    if not isinstance(value, str):
        raise Invalid("expected no, on-failure[:N], always or unless-stopped")
    name, _, attempts = value.partition(":")
    if name not in set(RestartPolicy) or (attempts and name != RestartPolicy.ON_FAILURE):
        raise Invalid(f"{value!r} is not a restart policy", suggest(name, [p.value for p in RestartPolicy]))
    return RestartPolicy(name), parse_int(attempts) if attempts else None


Restart = Annotated[
    tuple[RestartPolicy, int | None],
    PlainValidator(_restart),
    WithJsonSchema({"type": "string", "pattern": "^(no|always|unless-stopped|on-failure(:[0-9]+)?)$"}),
    Label("`no`, `on-failure[:N]`, `always`, `unless-stopped`"),
]


def _ulimits(value: object) -> dict[str, tuple[int, int]]:
    if not isinstance(value, dict):
        raise Invalid("expected a map of limits")
    return {name: _ulimit(name, limit) for name, limit in value.items()}


def _ulimit(name: str, limit: object) -> tuple[int, int]:
    if isinstance(limit, str):
        return parse_int(limit), parse_int(limit)
    if (
        isinstance(limit, dict)
        and set(limit) == {"soft", "hard"}
        and all(isinstance(v, str) for v in limit.values())
    ):
        return parse_int(limit["soft"]), parse_int(limit["hard"])
    raise Invalid(f"the limit {name} must be a number, or a map with soft and hard")


Ulimits = Annotated[
    dict[str, tuple[int, int]],
    PlainValidator(_ulimits),
    WithJsonSchema({"type": "object"}),
    Label("map of limits"),
]


def _extra_hosts(value: object) -> tuple[str, ...]:
    if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return tuple(f"{name}:{address}" for name, address in value.items())
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(item.replace("=", ":", 1) for item in value)
    raise Invalid("expected a list of name:address, or a map")


ExtraHosts = Annotated[
    tuple[str, ...],
    PlainValidator(_extra_hosts),
    WithJsonSchema({"type": ["array", "object"]}),
    Label("list of `name:address`, or map"),
]


def short_form(name: str) -> BeforeValidator:
    return BeforeValidator(lambda value: {name: value} if isinstance(value, str) else value)


FileReference = Annotated[
    FileReferenceKeys, short_form("source"), Label("name, or map with source and target")
]
EnvFile = Annotated[EnvFileKeys, short_form("path")]
EnvFiles = Annotated[
    tuple[EnvFile, ...],
    BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
    Label("path, or list of paths"),
]
