"""Docker Cloud's variables of a link: how applications of old find what they are linked to. Pure.

Source: Docker Cloud's documentation of service links. For an alias ``web`` whose first instance takes
connections on port 80 at 10.0.0.2: ``WEB_1_PORT=tcp://10.0.0.2:80``, ``WEB_1_PORT_80_TCP`` (the same) with
``_ADDR``, ``_PORT`` and ``_PROTO``, ``WEB_1_ENV_<NAME>`` for its environment. The first instance appears as
``WEB_…``, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from bluegreen.domain.secrecy import is_secret


def link_variables(
    alias: str,
    addresses: Sequence[tuple[str, int, int]],
    environment: Mapping[str, str],
    secrets: Collection[str] = (),
) -> dict[str, str]:
    """Return the variables of one link. ``addresses`` are (host, port, port as the service declares it).

    What is secret of the environment is left out.
    """
    environment = {name: value for name, value in environment.items() if not is_secret(name, secrets)}
    found: dict[str, str] = {}
    prefix = re.sub(r"[^A-Z0-9]", "_", alias.upper())
    for number, (host, port, declared) in enumerate(addresses, start=1):
        own = _of_one(host, port, declared, environment)
        names = (f"{prefix}_{number}",) if number > 1 else (prefix, f"{prefix}_1")
        for name in names:
            found |= {f"{name}_{rest}": value for rest, value in own.items()}
    return found


def _of_one(host: str, port: int, declared: int, environment: Mapping[str, str]) -> dict[str, str]:
    url = f"tcp://{host}:{port}"
    key = f"PORT_{declared}_TCP"
    told = {"PORT": url, key: url, f"{key}_ADDR": host, f"{key}_PORT": str(port), f"{key}_PROTO": "tcp"}
    return told | {f"ENV_{name}": value for name, value in environment.items()}
