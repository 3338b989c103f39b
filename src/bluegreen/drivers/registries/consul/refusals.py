"""From Consul's answers to our errors: the one place where they are interpreted."""

from __future__ import annotations

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary

Evidence = tuple[tuple[str, str], ...]

RIGHTS = (
    "Give the token `service_prefix` write, `key_prefix` and `session_prefix` write, and `agent_prefix` and"
    " `node_prefix` read (docs/howto/consul.md has the policy)."
)
LIMIT = "Raise `limits.kv_max_value_size` and `limits.txn_max_req_len` in Consul, or split the stack."


def down(where: str, what: str, reason: str) -> BluegreenError:
    """Return the error for a Consul that did not answer, or not like one that works."""
    return Temporary(
        f"{what}: Consul at {where} does not answer: {reason}",
        code="registry_down",
        hint="Traffic stays as it is. See whether the agent runs and has a leader (`consul operator raft"
        " list-peers`), and whether the address is right.",
        evidence=(("address", where), ("reason", reason)),
    )


def of_status(where: str, what: str, status: int, words: str) -> BluegreenError:
    """Return the error for an answer that is no success. ``words`` are Consul's."""
    if status >= 500 or status == 429:
        return down(where, what, f"{status} {words}".strip())
    evidence = (("address", where), ("consul", words), ("status", str(status)))
    if status == 413:
        return _refused(f"{what}: it is larger than Consul at {where} takes", LIMIT, evidence)
    if status in (401, 403):
        return _refused(f"{what}: Consul at {where} refused the token: {words}", RIGHTS, evidence)
    hint = "Correct what the evidence names; the same request will be refused again."
    return _refused(f"{what}: Consul at {where} refused: {words}", hint, evidence)


def _refused(message: str, hint: str, evidence: Evidence) -> BluegreenError:
    return Permanent(message, code="registry_refused", hint=hint, evidence=evidence)


def conflict(what: str, words: str) -> BluegreenError:
    """Return the error for a document that somebody else changed first."""
    return Temporary(
        f"{what}: somebody else was faster",
        code="conflict",
        hint="Read it again, then decide.",
        evidence=(("consul", words),),
    )


def of_transaction(where: str, what: str, words: str) -> BluegreenError:
    """Return the error for a transaction that was rolled back, which has one status for every reason."""
    if "stale" in words:
        return conflict(what, words)
    return of_status(where, what, 403 if "ermission denied" in words else 400, words)
