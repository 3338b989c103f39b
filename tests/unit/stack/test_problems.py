# ruff: noqa: E501 -- rows of a table stay on one line
"""All problems of a file at once, as people read them."""

import re

import pytest

from bluegreen.stack import Problem, Severity
from bluegreen.stack.problems import suggest
from tests.unit.stack.files import Folder

BROKEN = r"""
lbx:
  image: dockercloud/haproxy
  links: [webx-gren, "web:"]
  ports: ["80:80", "99999:80"]
  restart: alwayss
  deployment_strategy: highavailability
  environment:
    HEALTH_CHECK: check inter fast
    HTTP_CHECK: ping
    TIMEOUT: conect 5s
    OPTION: httplogg
    NBPROC: 2
    EXTRA_FRONTEND_SETTINGS_80: reqadd X-Foo:\ bar
webx-green:
  imagee: app:1
  volumes_from: [dta]
  autoredeploy: yes
  mem_limit: 5 apples
  ports: ["80:3000"]
  links: [webx-green]
a:
  image: x
  image: y
  links: [b]
  memswap_limit: 5m
  mem_limit: 10m
  target_num_containers: many
  x-bluegreen:
    check: pong
    strategy: {canary: [50, 20]}
    bake: 5 minutes
    rout: 80
b:
  image: ${IMAGE}
  links: [a]
  environment: {A: [1]}
"bad name": {image: x}
c: 5
"""

GOLDEN = r"""
4:11: error: there is no service 'webx-gren'
    hint: did you mean 'webx-green'? Allowed: webx-green, a, b
4:22: error: 'web:' is not a link
    hint: write `service` or `service:alias`
5:20: error: '99999:80': '99999' is not a port
    hint: write "80" (container), "8080:80" (host:container) or "53:53/udp"
6:12: error: restart: 'alwayss' is not allowed
    hint: did you mean 'always'? Allowed: no, on-failure, always
7:24: error: deployment_strategy: 'highavailability' is not allowed
    hint: did you mean 'high_availability'? Allowed: emptiest_node, high_availability, every_node
9:19: error: HEALTH_CHECK: 'fast' is not an HAProxy time
    hint: write milliseconds, or for example 500ms, 2s, 1m
10:17: error: HTTP_CHECK: 'ping' is not an HTTP check
    hint: write for example OPTIONS /ping, or GET /ping HTTP/1.1\r\nHost:\ example.com
11:14: error: TIMEOUT: there is no timeout 'conect'
    hint: did you mean 'connect'? Allowed: check, client, client-fin, connect, http-keep-alive, http-request, queue, server, server-fin, tarpit, tunnel
12:13: error: OPTION: 'httplogg' is not an HAProxy option
    hint: did you mean 'httplog'?
13:5: warning: NBPROC is ignored: HAProxy uses one thread per CPU now, processes are gone
14:33: error: EXTRA_FRONTEND_SETTINGS_80: `reqadd` is refused: today's HAProxy would not start
    hint: use http-request add-header NAME VALUE (or set-header)
15:1: error: webx-green has no image
    hint: add `image:` (or `x-bluegreen: {process: {command: …}}` for the process runtime)
16:3: error: unknown key 'imagee'
    hint: did you mean 'image'?
17:3: error: `volumes_from` is not supported
    hint: give both services the same named volume under `volumes`.
17:18: error: there is no service 'dta'
    hint: Allowed: lbx, a, b
18:3: warning: `autoredeploy` is ignored: an image that changed is released by `bluegreen deploy`, on purpose.
19:14: error: mem_limit: '5 apples' is not a size
    hint: write a number of bytes or for example 512m, 1g
20:11: error: webx-green and lbx both want port 80 of the host
    hint: publish one of them elsewhere, for example 10080
21:11: error: webx-green refers to itself
    hint: remove it
22:1: error: these services wait for each other: a → b → a
    hint: remove one of the links
24:3: error: the key 'image' is given twice (first at line 23, column 3)
    hint: remove one of the two
26:18: error: memswap_limit is smaller than mem_limit: it counts memory plus swap
    hint: raise it to mem_limit or above, or write -1
28:26: error: target_num_containers: 'many' is not a whole number
30:12: error: check: 'pong' is not a check
    hint: write for example OPTIONS /ping, /ping, tcp, exec COMMAND or none
31:15: error: strategy: the steps of a canary must grow from 1 to 100
    hint: write for example [5, 25, 50]
32:11: error: bake: '5 minutes' is not a duration
    hint: write seconds, or for example 500ms, 30s, 5m, 1h30m
33:5: error: unknown key 'rout'
    hint: did you mean 'route'? Allowed: route, check, agent, strategy, step_pause, bake, drain, pre_stop, start_deadline, max_restarts, stop_first, secret_environment, replicas, port, process, balancer
35:10: error: image: the value is empty
35:10: warning: the variable IMAGE is not set; it becomes empty
    hint: set IMAGE, or write ${IMAGE:-default}; $$IMAGE is a plain dollar sign
37:16: error: environment: the value of A must be text, found a list
38:1: error: 'bad name' cannot name a service
    hint: use letters, digits, - and _, at most 63, and begin with a letter or digit
39:4: error: c must be a map of keys
    hint: see the keys: image, command, entrypoint, environment, labels, expose …
"""


def test_a_file_with_many_faults_tells_all_of_them(folder: Folder) -> None:
    outcome = folder.load(BROKEN)
    assert outcome.loaded.spec is None
    text = re.sub(r"^.*stack\.yml:", "", outcome.text, flags=re.MULTILINE)
    assert text.splitlines() == GOLDEN.strip("\n").splitlines()


def test_a_problem_prints_where_what_and_what_instead() -> None:
    problem = Problem(Severity.ERROR, "a.yml", 3, 5, "web.image", "it is wrong", "do this", "bad")
    assert str(problem) == "a.yml:3:5: error: it is wrong\n    hint: do this"
    assert str(Problem(Severity.INFO, "a.yml", 0, 0, "", "so it is")) == "a.yml: info: so it is"
    assert str(Problem(Severity.ERROR, "", 0, 0, "", "nothing")) == "stack: error: nothing"


def test_paths_name_the_key(folder: Folder) -> None:
    outcome = folder.balanced({"TIMEOUT": "x"})
    assert "lbx.environment.TIMEOUT" in [problem.path for problem in outcome.loaded.problems]


def test_problems_come_in_the_order_of_the_file(folder: Folder) -> None:
    places = [(p.line, p.column) for p in folder.load(BROKEN).loaded.problems]
    assert places == sorted(places)


def test_suggestions() -> None:
    assert suggest("imgae", ["image", "net"]) == "did you mean 'image'? Allowed: image, net"
    assert suggest("zzz", [str(n) for n in range(50)]) == ""
    assert suggest("a", []) == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("web: {image: x, x-bluegreen: {process: {directory: y}}}\n", "missing_key"),
        ("web: {image: x, mem_limit: 2m, memswap_limit: 1m}\n", "bad_limit"),
        ("web: {image: x, volumes: [/a, /a]}\n", "duplicate_mount"),
        ("web: {image: x, labels: {bluegreen.color: blue}}\n", "reserved_label"),
        ("services:\n  web: {image: x, volumes: ['data:/data']}\n", "unknown_volume"),
        ("services:\n  web: {image: x, configs: [c]}\n", "unknown_config"),
        ("services:\n  web: {image: x, secrets: [s]}\n", "unknown_secret"),
        ("web: {image: x, x-bluegreen: {route: {certificates: stack.yml}}}\n", "bad_certificate"),
    ],
)
def test_codes_that_programs_may_rely_on(folder: Folder, text: str, code: str) -> None:
    assert folder.load(text).errors == [code]
