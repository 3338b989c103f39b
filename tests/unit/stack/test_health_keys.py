# ruff: noqa: E501 -- rows of a table stay on one line
"""When an instance is well, who looks after it, how it ends: what each key becomes, and what contradicts."""

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.agent import COMPAT_CHECK, Agent, AgentMode
from bluegreen.domain.check import ANY_ANSWER, TCP_CHECK, CheckKind, HealthCheck
from bluegreen.domain.routing import PoolOptions
from bluegreen.domain.spec import ContainerHealth
from tests.unit.stack.files import Folder
from tests.unit.stack.test_service_keys import value_at

EXEC = HealthCheck(kind=CheckKind.EXEC, command=("/bin/well", "a b"))
LIFE = HealthCheck(interval=10.0, timeout=3.0, fall=3)

OWN: list[tuple[str, str, Any]] = [
    ("check: exec /bin/well 'a b'", "check", EXEC),
    ("check: {type: exec, command: [/bin/well, a b]}", "check", EXEC),
    ("check: {command: /bin/well 'a b'}", "check", EXEC),
    ("check: {command: /bin/well 'a b', interval: 5s, rise: 2}", "check", replace(EXEC, interval=5.0, timeout=5.0, rise=2)),
    ("check: {path: /up, body: 'status: ok'}", "check", HealthCheck(path="/up", body="status: ok")),
    ("check: {tls: true, host: A.example}", "check", HealthCheck(tls=True, host="a.example")),
    ("check: {type: tcp, tls: yes, host: a.example}", "check", replace(TCP_CHECK, tls=True, host="a.example")),
    ("check: {timeout: 3s, connect_timeout: 1s}", "check", HealthCheck(timeout=3.0, connect_timeout=1.0)),
    ("check: {expect: [200, 301-302, 404]}", "check.expect", ((200, 200), (301, 302), (404, 404))),
    ("check: {expect: 200-299}", "check.expect", ((200, 299),)),
    ("check: {}", "check", HealthCheck()),
    ("replicas: 1", "agent", Agent()),
    ("agent: safe", "agent", Agent()),
    ("agent: off", "agent", Agent(mode=AgentMode.OFF)),
    ("agent: compat", "agent", Agent(mode=AgentMode.COMPAT, check=COMPAT_CHECK)),
    ("agent: {mode: compat, path: /alive}", "agent.check", replace(COMPAT_CHECK, path="/alive")),
    ("agent: {mode: compat, fall: 2}\ncheck: GET /other", "agent.check", replace(COMPAT_CHECK, fall=2)),
    ("agent: {drain: 1s, budget: 2, window: 1m}", "agent", Agent(drain=1.0, budget=2, window=60.0)),
    ("agent: {path: /live}", "agent", Agent(check=replace(LIFE, path="/live"))),
    ("agent: {path: /live, method: head}", "agent.check", replace(LIFE, path="/live", method="HEAD")),
    ("agent: {interval: 5s}\ncheck: OPTIONS /ping", "agent.check", replace(LIFE, method="OPTIONS", path="/ping", interval=5.0)),
    ("agent: {expect: 100-599}\ncheck: {timeout: 4s, start_period: 9s}", "agent.check", replace(LIFE, expect=ANY_ANSWER, timeout=4.0, start_period=9.0)),
    ("agent: {interval: 1s}\ncheck: tcp", "agent.check", replace(LIFE, kind=CheckKind.TCP, interval=1.0)),
    ("agent: {interval: 1s}\ncheck: none", "agent.check.kind", CheckKind.TCP),
    ("agent: {command: /bin/alive}", "agent.check", replace(LIFE, kind=CheckKind.EXEC, command=("/bin/alive",))),
    ("agent: {interval: 5s}\ncheck: exec /bin/well 'a b'", "agent.check", replace(EXEC, interval=5.0, timeout=3.0, fall=3)),
    ("agent: {type: tcp}\ncheck: /ping", "agent.check.kind", CheckKind.TCP),
    ("drain: 45s", "rollout.drain", 45.0),
    ("drain: 45s", "rollout.cut_after", None),
    ("drain: {deadline: 45s}", "rollout.drain", 45.0),
    ("drain: {cut_after: 10s}", "rollout.cut_after", 10.0),
    ("drain: {cut_after: 10s}", "rollout.drain", 30.0),
    ("drain: {deadline: 5s, long_lived: wait}", "rollout.cut_after", None),
    ("pre_stop: [nginx, -s, quit]", "pre_stop", ("nginx", "-s", "quit")),
    ("pre_stop: sh -c 'sleep 1'", "pre_stop", ("sh", "-c", "sleep 1")),
    ("stop_first: no", "pre_stop", ()),
]  # fmt: skip

COMPOSE: list[tuple[str, str, Any]] = [
    ("pre_stop: [{command: [a, b c]}]", "pre_stop", ("a", "b c")),
    ("pre_stop: [{command: a 'b c'}]\nx-bluegreen: {pre_stop: [a, b c]}", "pre_stop", ("a", "b c")),
    ("tty: no", "health", None),
    ("healthcheck: {}", "health", None),
    ("healthcheck: {disable: true}", "health", ContainerHealth(test=("NONE",))),
    ("healthcheck: {test: [NONE]}", "health", ContainerHealth(test=("NONE",))),
    ("healthcheck: {disable: true, test: a}", "health", ContainerHealth(test=("NONE",))),
    ("healthcheck: {disable: no}", "health", None),
    ("healthcheck: {interval: 5s, retries: 2}", "health", ContainerHealth(test=(), interval=5.0, retries=2)),
    ("healthcheck: {test: a || b, timeout: 1s}\nx-bluegreen: {check: tcp}", "health", ContainerHealth(test=("CMD-SHELL", "a || b"), timeout=1.0)),
    ("healthcheck: {test: [CMD, a, b c], start_period: 1m}\nx-bluegreen: {check: tcp}", "health", ContainerHealth(test=("CMD", "a", "b c"), start_period=60.0)),
    ("healthcheck: {test: [CMD-SHELL, a b]}\nx-bluegreen: {check: tcp}", "health", ContainerHealth(test=("CMD-SHELL", "a b"))),
]  # fmt: skip


def own(keys: str) -> str:
    return "x-bluegreen:\n" + "\n".join(f"  {line}" for line in keys.splitlines())


@pytest.mark.parametrize("dialect", ["one", "compose"])
@pytest.mark.parametrize(("keys", "path", "value"), OWN)
def test_keys_of_both_dialects(folder: Folder, dialect: str, keys: str, path: str, value: object) -> None:
    outcome = getattr(folder, dialect)(own(keys))
    assert outcome.codes == []
    assert value_at(outcome.service(), path) == value


@pytest.mark.parametrize(("keys", "path", "value"), COMPOSE)
def test_keys_of_compose(folder: Folder, keys: str, path: str, value: object) -> None:
    outcome = folder.compose(keys)
    assert outcome.codes == []
    assert value_at(outcome.service(), path) == value


@pytest.mark.parametrize(
    ("keys", "says", "at"),
    [
        ("check: {tpye: exec}", "did you mean 'type'?", "check.tpye"),
        ("check: {type: exce, command: a}", "did you mean 'exec'?", "check.type"),
        ("check: exec", "exec COMMAND", "check"),
        ("check: {type: exec}", "needs a command", "check"),
        ("check: {type: exec, comand: a}", "did you mean 'command'?", "check.comand"),
        ("check: {type: exec, command: ''}", "needs a command", "check"),
        ("check: {body: ''}", "one line of visible text", "check.body"),
        ('check: {body: "a\\nb"}', "one line of visible text", "check.body"),
        ("check: {method: HEAD, body: ok}", "an answer to HEAD has no body", "check.body"),
        ("check: {tls: perhaps}", "neither true nor false", "check.tls"),
        ("check: {host: '*.example.com'}", "no single name", "check.host"),
        ("check: {timeout: 0}", "timeout: must be greater than zero", "check.timeout"),
        ("check: {connect_timeout: 0}", "connect_timeout: must be greater", "check.connect_timeout"),
        ("check: {connect_timeout: 3s}", "give it less than the 2 s", "check.connect_timeout"),
        ("check: {expect: [200, 700]}", "'700' is not a range", "check.expect.1"),
        ("check: {expect: []}", "the list is empty", "check.expect"),
        ("check: {expect: {a: b}}", "expected a list, found a map", "check.expect"),
        ("agent: save", "did you mean 'safe'?", "agent"),
        ("agent: {mod: safe}", "did you mean 'mode'?", "agent.mod"),
        ("agent: {mode: compat, pth: /}", "did you mean 'path'?", "agent.pth"),
        ("agent: {budget: 0}", "write `agent: off`", "agent.budget"),
        ("agent: {window: 0}", "greater than zero", "agent.window"),
        ("agent: {path: ping}", "does not begin with /", "agent.path"),
        ("agent: {connect_timeout: 5s}", "give it less than the 3 s", "agent.connect_timeout"),
        ("agent: [safe]", "expected a map, found a list", "agent"),
        ("drain: soon", "is not a duration", "drain"),
        ("drain: {dedline: 5s}", "did you mean 'deadline'?", "drain.dedline"),
        ("drain: {cut_after: 5s, long_lived: wait}", "contradict each other", "drain.cut_after"),
        ("drain: {long_lived: cut}", "Allowed: wait", "drain.long_lived"),
        ("pre_stop: []", "the command is empty", "pre_stop"),
        ("pre_stop: {command: a}", "expected a command line", "pre_stop"),
        ("balancer: {passive_errors: many}", "neither a number nor off", "balancer.passive_errors"),
        ("balancer: {passive_errors: -1}", "neither a number nor off", "balancer.passive_errors"),
        ("balancer: {keep_last: no}", "did you mean 'keep_last_good'?", "balancer.keep_last"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", ["one", "compose"])
def test_what_makes_no_sense_is_one_error_at_its_place(
    folder: Folder, dialect: str, keys: str, says: str, at: str
) -> None:
    outcome = getattr(folder, dialect)(own(keys))
    (problem,) = outcome.loaded.errors
    assert says in f"{problem.message} {problem.hint}"
    assert problem.path.removeprefix("services.") == f"web.x-bluegreen.{at}"
    assert problem.line == (4 if dialect == "one" else 5)
    assert outcome.loaded.spec is None


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("pre_stop: [{command: a}, {command: b}]", "a second `pre_stop` hook"),
        ("pre_stop: [{command: a, user: root}]", "`user` of a hook"),
        ("pre_stop: [{command: a, privileged: true}]", "`privileged` of a hook"),
        ("pre_stop: [{command: a, working_dir: /}]", "`working_dir` of a hook"),
        ("pre_stop: [{command: a, environment: [A=b]}]", "`environment` of a hook"),
        ("pre_stop: [{comand: a}]", "did you mean 'command'?"),
        ("pre_stop: [{command: ''}]", "the command is missing"),
        ("pre_stop: a", "expected a list"),
        ("pre_stop: [{command: a}]\nx-bluegreen: {pre_stop: b}", "different commands"),
        ("healthcheck: {test: [curl, http://localhost/]}", "does not begin with CMD"),
        ("healthcheck: {test: []}", "does not begin with CMD"),
        ("healthcheck: {test: [CMD]}", "the command is empty"),
        ("healthcheck: {test: ' '}", "the command is empty"),
        ("healthcheck: {test: [CMD-SHELL, a, b]}", "'b' is too much after CMD-SHELL"),
        ("healthcheck: {test: [NONE, a]}", "'a' is too much after NONE"),
        ("healthcheck: {test: {a: b}}", "expected a command line"),
        ("healthcheck: {tset: a}", "did you mean 'test'?"),
        ("healthcheck: {interval: often}", "is not a duration"),
    ],
)
def test_bad_hooks_and_healthchecks(folder: Folder, keys: str, says: str) -> None:
    outcome = folder.compose(keys)
    first = outcome.loaded.errors[0]
    assert says in f"{first.message} {first.hint}"
    assert first.line >= 4
    assert len(outcome.errors) == 1


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("check: {type: tcp, path: /ping}", "path has no effect on a check of type tcp"),
        ("check: {type: exec, command: a, port: 80}", "port has no effect on a check of type exec"),
        ("check: {type: http, command: a}", "command has no effect on a check of type http"),
        ("check: {type: none, body: a}", "body has no effect on a check of type none"),
        ("agent: {mode: off, path: /}", "path has no effect: with `off` nobody asks"),
    ],
)
def test_what_has_no_effect_is_said(folder: Folder, keys: str, says: str) -> None:
    outcome = folder.one(own(keys))
    assert outcome.codes == ["ignored_key"]
    assert says in outcome.text
    assert outcome.loaded.spec is not None


PROCESS = "\nx-bluegreen: {process: {command: run}}"


@pytest.mark.parametrize(
    ("test", "command"),
    [
        ("[CMD, /check.sh, a b]", ("/check.sh", "a b")),
        ("[CMD-SHELL, 'pg_isready && true']", ("/bin/sh", "-c", "pg_isready && true")),
        ("curl http://example.com/", ("/bin/sh", "-c", "curl http://example.com/")),
    ],
)
def test_where_there_may_be_no_docker_its_command_is_the_check(
    folder: Folder, test: str, command: tuple[str, ...]
) -> None:
    outcome = folder.compose(f"healthcheck:\n  test: {test}{PROCESS}")
    assert outcome.codes == ["healthcheck_translated"]
    expected = HealthCheck(kind=CheckKind.EXEC, command=command, interval=30.0, timeout=30.0, fall=3)
    assert outcome.service().check == expected
    times = "interval: 5s\n  timeout: 1s\n  retries: 4\n  start_period: 9s"
    outcome = folder.compose(f"healthcheck:\n  test: {test}\n  {times}{PROCESS}")
    assert outcome.service().check == replace(expected, interval=5.0, timeout=1.0, fall=4, start_period=9.0)


def test_a_healthcheck_that_is_off_is_no_check(folder: Folder) -> None:
    for keys in ("{disable: true, test: a}", "{test: [NONE]}", "{interval: 5s}"):
        outcome = folder.compose(f"healthcheck: {keys}{PROCESS}")
        assert outcome.service().check == TCP_CHECK
        assert outcome.codes == []


def test_the_agent_asks_what_the_balancers_variables_say(folder: Folder) -> None:
    outcome = folder.load(
        "lbx: {image: dockercloud/haproxy, links: [web], ports: ['80:80'], environment: {HTTP_CHECK: OPTIONS /ping}}\n"
        "web: {image: a, x-bluegreen: {agent: {interval: 4s}}}\n"
    )
    check = outcome.service().agent.check
    assert check == replace(LIFE, method="OPTIONS", path="/ping", interval=4.0)


@pytest.mark.parametrize(
    ("keys", "passive_errors", "keep_last_good"),
    [
        ("{retries: 3}", 10, True),
        ("{passive_errors: 3, keep_last_good: no}", 3, False),
        ("{passive_errors: off}", None, True),
        ("{passive_errors: 0}", None, True),
    ],
)
def test_how_the_balancer_takes_answers(
    folder: Folder, keys: str, passive_errors: int | None, keep_last_good: bool
) -> None:
    own_keys = f"x-bluegreen: {{route: '80', balancer: {keys}}}"
    managed = folder.compose(own_keys).loaded.spec
    declared = folder.load(
        f"lbx: {{image: dockercloud/haproxy, links: [web], ports: ['80:80'], x-bluegreen: {{balancer: {keys}}}}}\n"
        "web: {image: a}\n"
    ).loaded.spec
    assert managed is not None
    assert declared is not None
    expected = PoolOptions(passive_errors=passive_errors, keep_last_good=keep_last_good)
    assert managed.balancers[0].pool_options["web"] == expected
    assert declared.balancers[0].options == expected
