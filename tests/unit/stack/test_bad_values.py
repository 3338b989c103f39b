"""A value that a key cannot have is one error that says what it may be."""

import pytest

from tests.unit.stack.files import Folder


@pytest.mark.parametrize("dialect", ["one", "compose"])
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("imgae: x", "did you mean 'image'?"),
        ("environement: {}", "did you mean 'environment'?"),
        ("Ports: ['80']", "did you mean 'ports'?"),
        ("x-bluegreen: {bakee: 5m}", "did you mean 'bake'?"),
        ("x-bluegreen: {check: {pth: /}}", "did you mean 'path'?"),
        ("x-bluegreen: {route: {prt: 80}}", "did you mean 'port'?"),
        ("restart: allways", "did you mean 'always'?"),
        ("ports: ['80:80:80:80']", "is not a port"),
        ("ports: ['0:80']", "is not a port"),
        ("ports: ['80:80/sctp']", "Allowed: tcp, udp"),
        ("ports: ['80-82:90-91']", "differ in length"),
        ("ports: ['300.0.0.1:80:80']", "is not an IP address"),
        ("ports: 80", "expected a list, found '80'"),
        ("expose: ['80:80']", "use `ports`"),
        ("command: 'a \"b'", "close the quote"),
        ("command: {a: b}", "expected a command line"),
        ("environment: text", "expected a map, or a list of NAME=value"),
        ("environment: {A: {B: c}}", "the value of A must be text"),
        ("environment: ['=x']", "is not a name"),
        ("mem_limit: lots", "is not a size"),
        ("mem_limit: -5m", "is not a size"),
        ("mem_limit: [1]", "expected a size, found a list"),
        ("memswap_limit: 1g", "needs mem_limit"),
        ("mem_limit: 2g\nmemswap_limit: 1g", "smaller than mem_limit"),
        ("cpuset: a", "is not a list of CPUs"),
        ("cpuset: 3-1", "runs backwards"),
        ("cpu_shares: many", "is not a whole number"),
        ("cpu_shares: -1", "too small"),
        ("privileged: maybe", "neither true nor false"),
        ("volumes: ['data']", "is not a volume"),
        ("volumes: ['/a:/b:xx']", "is not a volume"),
        ("volumes: [/a, /a]", "two volumes are mounted at /a"),
        ("links: ['a b']", "is not a link"),
        ("labels: {bluegreen.stack: x}", "is bluegreen's own"),
        ("x-bluegreen: {strategy: {canary: [50, 20]}}", "must grow"),
        ("x-bluegreen: {strategy: rolling}", "unknown strategy"),
        ("x-bluegreen: {check: ping}", "is not a check"),
        ("x-bluegreen: {check: {interval: 0}}", "greater than zero"),
        ("x-bluegreen: {check: {path: ping}}", "does not begin with /"),
        ("x-bluegreen: {check: {expect: 200-100}}", "range of HTTP statuses"),
        ("x-bluegreen: {bake: 5 minutes}", "is not a duration"),
        ("x-bluegreen: {process: {directory: x}}", "the command is missing"),
        ("x-bluegreen: {route: 99999}", "is not a port"),
        ("x-bluegreen: {route: {host: 'a b'}}", "is not a host name"),
        ("x-bluegreen: [a]", "expected a map, found a list"),
        ("image: [a]", "expected text, found a list"),
    ],
)
def test_a_bad_value_is_one_error_with_what_is_allowed(
    folder: Folder, dialect: str, keys: str, says: str
) -> None:
    text = keys.removeprefix("image:")
    if text != keys:
        outcome = folder.load(
            f"web:\n  image:{text}\n" if dialect == "one" else f"services:\n  web:\n    image:{text}\n"
        )
    else:
        outcome = getattr(folder, dialect)(keys)
    assert outcome.loaded.spec is None
    assert says in outcome.text
    assert len([e for e in outcome.errors if e != "missing_image"]) == 1, outcome.text


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("restart: unless-stopped", "Allowed: no, on-failure, always"),
        ("target_num_containers: 2\ndeployment_strategy: every_node", "cannot be combined"),
        ("deployment_strategy: spread", "Allowed: emptiest_node, high_availability, every_node"),
        ("net: none", "Allowed: bridge, host"),
        ("target_num_containers: 2\nx-bluegreen: {replicas: 3}", "disagree"),
    ],
)
def test_bad_values_of_docker_cloud(folder: Folder, keys: str, says: str) -> None:
    assert says in folder.one(keys).text
    assert len(folder.one(keys).errors) == 1


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("scale: 2\ndeploy: {replicas: 3}", "disagree"),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}", "disagree"),
        ("mem_limit: 1g\nmem_reservation: 2g", "larger than the memory limit"),
        ("restart: on-failure:x", "is not a whole number"),
        ("restart: always:3", "is not a restart policy"),
        ("deploy: {replica: 3}", "did you mean 'replicas'?"),
        ("volumes: ['data:/data']", "there is no volume 'data'"),
        ("volumes: [{type: tmpfs, target: /x}]", "see `tmpfs`"),
        ("secrets: [key]", "there is no entry 'key' under secrets"),
        ("cpus: 0", "too small"),
        ("depends_on: [nope]", "there is no service 'nope'"),
        ("depends_on: nope", "expected a list of names"),
    ],
)
def test_bad_values_of_compose(folder: Folder, keys: str, says: str) -> None:
    assert says in folder.compose(keys).text
    assert len(folder.compose(keys).errors) == 1
