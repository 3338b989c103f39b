"""The role that each operation needs: one table, looked at before anything else.

What it does not name needs an administrator, so that nothing is open because somebody forgot it here; a test
compares it with the API's own description.
"""

from __future__ import annotations

from bluegreen.domain.access import Role

Operation = tuple[str, str]
"""HTTP method and path, as the API describes it or as the dashboard has it."""

_VIEWER: tuple[Operation, ...] = (
    ("GET", "/v1/about"),
    ("GET", "/v1/whoami"),
    ("GET", "/v1/status"),
    ("GET", "/v1/stacks"),
    ("GET", "/v1/services"),
    ("GET", "/v1/routes"),
    ("GET", "/v1/instances"),
    ("GET", "/v1/instances/{name}"),
    ("GET", "/v1/rollouts"),
    ("GET", "/v1/rollouts/{id}"),
    ("GET", "/v1/rollouts/{id}/stream"),
    ("GET", "/v1/events"),
    ("GET", "/v1/events/stream"),
    ("GET", "/v1/boxes"),
    ("GET", "/v1/locks"),
    ("GET", "/metrics"),
)

# What shows the environment of services, headers of checks, or passwords of listeners is for those who can
# set them.
_DEPLOYER: tuple[Operation, ...] = (
    ("GET", "/v1/checks"),
    ("GET", "/v1/export/{format}"),
    ("POST", "/v1/export/{format}"),
    ("GET", "/v1/stacks/{name}"),
    ("POST", "/v1/stacks/{name}/plan"),
    ("PUT", "/v1/stacks/{name}"),
    ("GET", "/v1/services/{name}"),
    ("PATCH", "/v1/services/{name}"),
    ("GET", "/v1/services/{name}/environment"),
    ("PATCH", "/v1/services/{name}/environment"),
    ("GET", "/v1/services/{name}/link-variables"),
    ("POST", "/v1/services/{name}/deploy"),
    ("POST", "/v1/services/{name}/rollback"),
    ("POST", "/v1/services/{name}/redeploy"),
    ("POST", "/v1/services/{name}/scale"),
    ("POST", "/v1/services/{name}/start"),
    ("POST", "/v1/services/{name}/stop"),
    ("PUT", "/v1/balancers/{name}/links"),
    ("POST", "/v1/routes/{name}/switch"),
    ("PUT", "/v1/routes/{name}/maintenance"),
    ("DELETE", "/v1/routes/{name}/maintenance"),
    ("POST", "/v1/rollouts/{id}/abort"),
    ("POST", "/v1/rollouts/{id}/pause"),
    ("POST", "/v1/rollouts/{id}/resume"),
    ("POST", "/v1/rollouts/{id}/promote"),
    ("GET", "/v1/instances/{name}/logs"),
    ("POST", "/v1/instances/{name}/drain"),
    ("POST", "/v1/instances/{name}/ready"),
    ("POST", "/v1/instances/{name}/force-up"),
    ("POST", "/v1/instances/{name}/restart"),
    ("DELETE", "/v1/boxes/{name}"),
    ("PUT", "/v1/stacks/{name}/lock"),
    ("DELETE", "/v1/stacks/{name}/lock"),
    ("PUT", "/v1/services/{name}/lock"),
    ("DELETE", "/v1/services/{name}/lock"),
    ("POST", "/v1/hooks/{name}"),
)

_ADMIN: tuple[Operation, ...] = (
    ("DELETE", "/v1/stacks/{name}"),
    ("POST", "/v1/services/{name}/terminate"),
    ("POST", "/v1/instances/{name}/execute"),
    ("GET", "/v1/tokens"),
    ("POST", "/v1/tokens"),
    ("DELETE", "/v1/tokens/{name}"),
    ("GET", "/v1/hooks"),
    ("POST", "/v1/hooks"),
    ("DELETE", "/v1/hooks/{name}"),
    ("GET", "/v1/audit"),
)

NEEDED: dict[Operation, Role] = {
    **dict.fromkeys(_VIEWER, Role.VIEWER),
    **dict.fromkeys(_DEPLOYER, Role.DEPLOYER),
    **dict.fromkeys(_ADMIN, Role.ADMIN),
}

PAGES: dict[Operation, Role] = {
    **dict.fromkeys(
        (
            ("GET", "/"),
            ("GET", "/live"),
            ("GET", "/history"),
            ("GET", "/events"),
            ("GET", "/rollouts/{id}"),
            ("GET", "/services/{stack}/{name}"),
            ("GET", "/services/{stack}/{name}/counters"),
        ),
        Role.VIEWER,
    ),
    **{
        (method, path): Role.DEPLOYER
        for method in ("GET", "POST")
        for path in (
            "/services/{stack}/{name}/deploy",
            "/services/{stack}/{name}/rollback",
            "/services/{stack}/{name}/scale",
            "/services/{stack}/{name}/lock",
            "/services/{stack}/{name}/unlock",
            "/routes/{stack}/{name}/switch",
            "/routes/{stack}/{name}/rollback",
            "/rollouts/{id}/abort",
            "/rollouts/{id}/pause",
            "/rollouts/{id}/resume",
            "/rollouts/{id}/promote",
            "/instances/{name}/drain",
            "/instances/{name}/ready",
        )
    },
    **dict.fromkeys(
        (("GET", "/services/{stack}/{name}/logs"), ("GET", "/services/{stack}/{name}/logs/stream")),
        Role.DEPLOYER,
    ),
    ("GET", "/audit"): Role.ADMIN,
}
"""The dashboard: a page that asks takes the role that its answer takes."""

OPEN: frozenset[Operation] = frozenset(
    {("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/static/{name}"), ("GET", "/docs")}
)
"""What anybody may call, as it tells nothing: the way in and out, what pages are of, what the API is like."""

SIGNED: frozenset[Operation] = frozenset({("POST", "/v1/hooks/{name}")})
"""What wants the signature of a hook in place of a token, by the socket, too."""

SIFTED: frozenset[Operation] = frozenset(
    ("GET", path) for path in ("/", "/live", "/history", "/events", "/audit")
)
"""Pages that, unless a stack is named, show of all stacks what their reader may see."""

OF_NO_STACK: frozenset[Operation] = frozenset({("GET", "/v1/about"), ("GET", "/v1/whoami")})
"""What tells nothing of any stack: a token for one stack may call it as it is."""

BY_SERVICE: frozenset[Operation] = frozenset(
    ("POST", f"/v1/rollouts/{{id}}/{verb}") for verb in ("pause", "resume", "promote")
)
"""What takes the name of a service for its rollout under way."""

QUESTIONS: frozenset[Operation] = frozenset(
    {("POST", "/v1/stacks/{name}/plan"), ("POST", "/v1/export/{format}")}
)
"""What is asked by POST and changes nothing: no line of the audit trail."""


NO_KEY: frozenset[Operation] = SIGNED | {
    *(("POST", "/v1/tokens"), ("POST", "/v1/hooks"), ("POST", "/v1/instances/{name}/execute")),
}
"""What takes no ``Idempotency-Key``: its answer holds what is not to be kept, a secret or any output; or its
signature names it already."""

NOT_TWICE: frozenset[Operation] = frozenset({("POST", "/v1/instances/{name}/restart")})
"""What is neither a rollout nor a wish that may be said twice: where nobody knows whether it was done, it is
not done again."""


def takes_key(operation: Operation) -> bool:
    return operation[0] == "POST" and operation in NEEDED and operation not in QUESTIONS | NO_KEY


def needed(operation: Operation) -> Role:
    return NEEDED.get(operation) or PAGES.get(operation, Role.ADMIN)


def changes(operation: Operation) -> bool:
    """Whether it may change something, and so is written down."""
    return operation[0] != "GET" and operation not in QUESTIONS
