"""From the Engine's words to our errors: the one place where Docker's messages are interpreted.

Called by the gateway for every answer from 400 up, and by the image fetcher for errors inside the
progress stream of a pull (those come with status 200). The Engine API has no error codes, so the
text decides; what no rule knows keeps the Engine's own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError

Kind = type[UserError] | type[Temporary] | type[Permanent]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a message that matches ``pattern`` means. ``said`` may use the pattern's groups."""

    pattern: str
    kind: Kind
    code: str
    said: str
    hint: str


INVALID_NAME = Rule(
    r"invalid reference format|invalid repository name|must be lowercase",
    UserError,
    "image_name_invalid",
    "this is no valid name of an image",
    "Write it as `repository:tag`, in lower case.",
)

DISK_FULL = Rule(
    r"no space left on device",
    Temporary,
    "disk_full",
    "the disk of the Docker Engine is full",
    "Free space (`docker system df`, `docker image prune`), then ask again.",
)

DAEMON_RULES = (
    INVALID_NAME,
    Rule(
        r"HTTP request to an HTTPS server|tls: ",
        UserError,
        "docker_tls_failed",
        "this Docker Engine is to be spoken to with TLS",
        "Set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem.",
    ),
    Rule(
        r"port is already allocated|address already in use",
        UserError,
        "port_taken",
        "a port it publishes is already in use on the host",
        "Map it to a free one (`ports: ['8080:80']`), or stop what holds the port.",
    ),
    Rule(
        r"bind: permission denied",
        UserError,
        "port_forbidden",
        "a port it publishes may not be opened by this Docker Engine",
        "Map it to a port above 1023 (`ports: ['8080:80']`).",
    ),
    Rule(
        r"(?:exec: |unable to start container process: )+\"?(?P<what>[^\"]+)\"?: (?:executable file not found"
        r"|stat [^:]+: no such file|no such file)",
        UserError,
        "start_failed",
        "its command {what!r} does not exist in the image (exit code 127)",
        "Correct `command` or `entrypoint`, or build the image with that program in it.",
    ),
    Rule(
        r"exec: \"?(?P<what>[^\"]+)\"?: permission denied",
        UserError,
        "start_failed",
        "its command {what!r} is not executable in the image (exit code 126)",
        "Make the file executable in the image (`chmod +x`), or call it through its interpreter.",
    ),
    Rule(
        r"Invalid signal: (?P<what>\S+)",
        UserError,
        "bad_signal",
        "there is no signal {what}",
        "Name one of `kill -l`, such as TERM, INT or QUIT.",
    ),
    DISK_FULL,
    Rule(
        r"non-overlapping IPv4 address pool|fully subnetted",
        Permanent,
        "network_pool_exhausted",
        "the Docker Engine has no address range left for another network",
        "Remove unused networks (`docker network prune`), or widen `default-address-pools` in daemon.json.",
    ),
    Rule(
        r"network \S+ is ambiguous",
        Temporary,
        "network_ambiguous",
        "there are several networks of its name",
        "bluegreen removes the unused ones and tries again; `docker network ls` shows who made them.",
    ),
    Rule(
        r"no available IPv4 addresses",
        Permanent,
        "network_full",
        "the network of the stack has no address left",
        "Run fewer instances in one stack, or give the Engine larger `default-address-pools`.",
    ),
    Rule(
        r"(?:No such image|pull access denied)",
        UserError,
        "image_missing",
        "its image is not on this machine",
        "Build or pull it (`docker build -t NAME .`, `docker pull NAME`), or check the name.",
    ),
    Rule(
        r"bind source path does not exist|error mounting|not a directory: unknown|invalid mount|volume name",
        UserError,
        "mount_refused",
        "one of its volumes cannot be mounted",
        "Check the host path and the target in `volumes`.",
    ),
    Rule(
        r"error gathering device information|no such device",
        UserError,
        "device_missing",
        "a device it wants does not exist on the host",
        "Correct `devices`.",
    ),
    Rule(
        r"OCI runtime|failed to create shim|runc|unable to find user|Cannot mkdir",
        UserError,
        "start_failed",
        "the container runtime could not start it",
        "Read the evidence; most often it is an option of the service that this host cannot grant.",
    ),
)

PULL_RULES = (
    INVALID_NAME,
    Rule(
        r"no matching manifest for (?P<what>\S+)",
        UserError,
        "wrong_platform",
        "it is not published for this machine's platform {what}",
        "Build the image for this platform (`docker build --platform`), or run it on another host.",
    ),
    Rule(
        r"toomanyrequests|429",
        Temporary,
        "registry_throttled",
        "its registry allows no more pulls for now",
        "Log in (`docker login`) for a higher limit, or wait and ask again.",
    ),
    Rule(
        r"pull access denied|repository does not exist",
        UserError,
        "image_missing",
        "it is not on this machine, and its registry does not have it or does not show it to this login",
        "Check the name; build it here (`docker build -t NAME .`), or `docker login` if it is private.",
    ),
    Rule(
        r"unauthorized|authentication required|incorrect username or password|no basic auth|denied",
        UserError,
        "registry_unauthorized",
        "its registry refuses this login",
        "Run `docker login` for that registry as the user who runs bluegreen.",
    ),
    Rule(
        r"manifest unknown|manifest for .* not found|name unknown|not found",
        UserError,
        "image_missing",
        "it is not on this machine and its registry does not have it",
        "Check name and tag; build it here (`docker build -t NAME .`) or push it first.",
    ),
    DISK_FULL,
    Rule(
        r"dial tcp|no such host|timeout|connection refused|reset by peer|EOF|request canceled|x509|tls:"
        r"|HTTPS client|server misbehaving|name resolution|deadline exceeded|50[0234]|unreachable",
        Temporary,
        "registry_unreachable",
        "it is not on this machine and its registry cannot be reached",
        "Build or load it here (`docker build -t NAME .`, `docker load`), or check name, network and proxy.",
    ),
)


def of_daemon(what: str, status: int, words: str) -> BluegreenError:
    """Return the error for an answer of the Engine. ``what`` was tried, ``words`` are the Engine's."""
    evidence = (("docker", words), ("status", str(status)))
    found = _apply(DAEMON_RULES, what, words, evidence)
    if found is not None:
        return found
    if status >= 500:
        return Temporary(
            f"{what}: Docker failed: {words}",
            code="docker_failed",
            hint="Look into the Docker Engine's log (`journalctl -u docker`), then ask again.",
            evidence=evidence,
        )
    return Permanent(
        f"{what}: Docker refused: {words}",
        code="docker_refused",
        hint="Correct what the evidence names; the same request will be refused again.",
        evidence=evidence,
    )


def of_pull(image: str, words: str) -> BluegreenError:
    """Return the error for a pull that failed. ``words`` are the registry's, as Docker repeats them."""
    evidence = (("registry", words),)
    found = _apply((*PULL_RULES, *DAEMON_RULES), f"image {image}", words, evidence)
    return found or Temporary(
        f"image {image}: it is not on this machine and could not be pulled: {words}",
        code="pull_failed",
        hint=f"Try `docker pull {image}` by hand, or build it here.",
        evidence=evidence,
    )


def _apply(
    rules: tuple[Rule, ...], what: str, words: str, evidence: tuple[tuple[str, str], ...]
) -> BluegreenError | None:
    for rule in rules:
        match = re.search(rule.pattern, words, re.IGNORECASE)
        if match is not None:
            said = rule.said.format(**match.groupdict())
            build: Callable[..., BluegreenError] = rule.kind
            return build(f"{what}: {said}", code=rule.code, hint=rule.hint, evidence=evidence)
    return None
