"""No answer from the Engine: what that means, by how far the call got.

Called by the gateway for every failure of the transport. The rule: a call that was never sent is
``Temporary`` (or ``Permanent``, if it never will be); one that was sent and may have changed
something is ``OutcomeUnknown``.
"""

from __future__ import annotations

import aiohttp

from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Permanent, Temporary


def of_connection(
    where: str, what: str, broken: Exception, deadline: float | None, mutates: bool
) -> BluegreenError:
    """Return the error for a call that got no answer.

    ``what`` was tried at the daemon ``where``; ``mutates`` says that it may have changed something.
    """
    evidence = (("address", where), ("error", str(broken) or type(broken).__name__))
    if isinstance(broken, (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError)):
        return Permanent(
            f"Docker at {where} and this machine do not trust each other: {broken}",
            code="docker_tls_failed",
            hint="Check ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH and the name in DOCKER_HOST.",
            evidence=evidence,
        )
    if isinstance(broken, aiohttp.ClientConnectorError):
        return _no_connection(where, broken, evidence)
    kind = OutcomeUnknown if mutates else Temporary
    if isinstance(broken, TimeoutError):
        return kind(
            f"{what}: Docker at {where} did not answer within {deadline or 0:g} s",
            code="docker_timeout",
            hint="Check the Docker Engine and the load of its host; the call may be repeated.",
            evidence=evidence,
        )
    return kind(
        f"{what}: the connection to Docker at {where} broke",
        code="docker_lost",
        hint="Check that the Docker Engine runs; the call may be repeated.",
        evidence=evidence,
    )


def _no_connection(
    where: str, broken: aiohttp.ClientConnectorError, evidence: tuple[tuple[str, str], ...]
) -> BluegreenError:
    if isinstance(broken.os_error, PermissionError):
        return Permanent(
            f"this user may not use Docker at {where}: permission denied",
            code="docker_forbidden",
            hint="Add the user to the group docker (`sudo usermod -aG docker $USER`, then log in again), "
            "or run bluegreen with sudo.",
            evidence=evidence,
        )
    return Temporary(
        f"Docker cannot be reached at {where}: {broken.os_error.strerror or broken}",
        code="docker_unreachable",
        hint="Start the Docker Engine (`systemctl start docker`), or set DOCKER_HOST to its address.",
        evidence=evidence,
    )
