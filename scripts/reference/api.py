"""``reference/api.md``: from the OpenAPI document of the application that the controller serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from bluegreen.api.access.rights import SIGNED, needed
from bluegreen.api.app import create_app
from bluegreen.api.context import About, Context
from bluegreen.api.problems import status
from bluegreen.domain.errors import Bug, OutcomeUnknown, Permanent, Temporary, UserError
from reference.tables import made_from, table

_INTRODUCTION = """
# HTTP API

Every verb of the command line is a call of this API. The controller serves it on its unix socket (mode
0660: whoever may open it may do everything), and with `--listen HOST:PORT` by TCP, to whoever sends a
[token](../howto/remote.md) (`Authorization: Bearer …`). The column *role* says what that takes. `/docs` shows
it in a browser, `/openapi.json` is the document for programs.

```console
$ curl --unix-socket /var/lib/bluegreen/bluegreen.sock http://localhost/v1/status
```

Names of services may be written `service`, `service.stack` or `stack/service`. Commands answer as soon as
the rollout is begun (status 202, `{"rollout": {…}}`; `null` when there is nothing to do); follow it at
`/v1/rollouts/{id}/stream`.

## Sending a command again

A POST under `/v1` may bear an `Idempotency-Key`: up to 255 visible characters, for example a random UUID. The
same request with the same key from the same sender gets the same answer, with `Idempotency-Replayed: true`,
and begins nothing, for 48 hours (of at most 20,000 requests), also after the controller died before it
answered.

```console
$ curl -X POST -H "Idempotency-Key: $(uuidgen)" -H "Content-Type: application/json" -d '{}' \\
    --unix-socket /var/lib/bluegreen/bluegreen.sock http://localhost/v1/services/web/deploy
```

With another request the key is refused (422, [`idempotency_key_reused`](errors.md#idempotency_key_reused));
while the first request is being carried out the answer is 409 with `Retry-After`. Refusals are not kept.
Making a token and running a command inside an instance take no key.
"""

_ERRORS = """
## Errors

An error is an `application/problem+json` document (RFC 9457) with `title`, `code`, `group`, `exit_code`,
`evidence` (pairs of label and text) and `hint`. The codes are [listed](errors.md).
"""

_STATUSES = (
    (UserError, "the request is wrong"),
    (Temporary, "the same request may work later"),
    (Permanent, "the same request will be refused again"),
    (OutcomeUnknown, "it may have happened: look first"),
    (Bug, "the program contradicts itself; traffic was left alone"),
)


def render() -> str:
    nobody = About(version="0", pid=0, runtime="", balancer="", state_dir="")
    nothing = cast(Any, None)
    context = Context(
        engine=nothing, viewer=nothing, about=nobody, doorkeeper=nothing, hooks=nothing, tally=nothing
    )
    document = create_app(context).openapi()
    parts = [made_from("bluegreen.api") + _INTRODUCTION]
    tags: dict[str, list[tuple[str, str, str, str]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            asked = method.upper(), path
            role = "a signature" if asked in SIGNED else needed(asked)
            row = (f"`{method.upper()} {path}`", _summary(operation), _inputs(operation, document), role)
            tags.setdefault(operation["tags"][0], []).append(row)
    for tag, rows in tags.items():
        parts += [f"## {tag.capitalize()}\n", table(("call", "does", "takes", "role"), rows)]
    return "\n".join([*parts, _ERRORS, table(("status", "group", "means"), _status_rows())])


def _summary(operation: Mapping[str, Any]) -> str:
    text = str(operation.get("description", operation["summary"]))
    return " ".join(text.replace("``", "`").split())


def _inputs(operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    query = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    found = [f"?`{p['name']}`" for p in query]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        schema = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        required = schema.get("required", ())
        found += [f"`{name}`" + ("" if name in required else "?") for name in schema["properties"]]
    elif body:
        found.append("the stack, as `GET` returns it")
    return ", ".join(found)


def _status_rows() -> list[tuple[str, str, str]]:
    rows = [(str(status(kind("", code=""))), f"`{kind.group}`", means) for kind, means in _STATUSES]
    extra = [
        ("401", "`user`", "no token, or none that is known or valid"),
        ("403", "`user`", "the token's role or stacks do not allow it"),
        ("412", "`user`", "`If-Match` names another generation than the stored one"),
        ("413", "`user`", "a body of more than 8 MiB"),
        ("429", "`user`", "too many wrong tokens from one address; `Retry-After` says how long to wait"),
        ("404", "`user`", "codes that begin with `unknown_`"),
        ("409", "`user`", "it conflicts with what is under way or live"),
        ("422", "`user`", "the body does not fit ([`invalid_request`](errors.md#invalid_request))"),
    ]
    return sorted([*rows, *extra])
