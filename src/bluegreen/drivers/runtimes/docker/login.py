"""The user's own registry logins, as ``docker login`` left them. Called only when an image is pulled.

Nothing is stored or shown here: the credentials go from Docker's ``config.json`` (or its helper
program) into one header of one request. Source: the documentation of ``docker login``, "credential
stores" and "credential helpers".
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bluegreen.domain.errors import UserError

HELPER_DEADLINE = 30.0


def registry_of(image: str, default: str) -> str:
    """Return the key under which Docker keeps the login for an image's registry.

    That is the host in its name. Where the name has none, or the host of the Engine's own registry,
    it is ``default``: the Engine's ``IndexServerAddress``, a URL.
    """
    host, slash, _ = image.partition("/")
    is_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    own = urlsplit(default).hostname or ""
    return host if is_host and own != host and not own.endswith(f".{host}") else default


async def auth_header(image: str, default: str, config: Path) -> dict[str, str]:
    """Return the ``X-Registry-Auth`` header for pulling ``image``, empty when there is no login.

    ``default`` is the Engine's ``IndexServerAddress``. Raises ``UserError``
    (``docker_config_invalid``, ``credential_helper_failed``).
    """
    key = registry_of(image, default)
    settings = _read(config)
    helper = (settings.get("credHelpers") or {}).get(key) or settings.get("credsStore")
    login = await _ask_helper(helper, key) if helper else None
    try:
        login = login or _stored(settings.get("auths") or {}, key)
    except ValueError as broken:
        raise _invalid(config, f"the login for {key} is not base64 of user:password") from broken
    if login is None:
        return {}
    text = json.dumps({**login, "serveraddress": key})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(text.encode()).decode()}


def _read(config: Path) -> dict[str, Any]:
    try:
        read = json.loads(config.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as broken:
        raise _invalid(config, str(broken)) from broken
    return read if isinstance(read, dict) else {}


def _stored(auths: dict[str, Any], key: str) -> dict[str, str] | None:
    entry = auths.get(key) or auths.get(f"https://{key}") or auths.get(f"https://{key}/v1/")
    if not entry:
        return None
    if entry.get("identitytoken"):
        return {"identitytoken": entry["identitytoken"]}
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        return {"username": user, "password": password.rstrip("\0")}
    if entry.get("username"):
        return {"username": entry["username"], "password": entry.get("password", "")}
    return None


async def _ask_helper(helper: str, key: str) -> dict[str, str] | None:
    """Ask ``docker-credential-<helper> get``; it says so in words when it knows no login."""
    program = f"docker-credential-{helper}"
    try:
        async with asyncio.timeout(HELPER_DEADLINE):
            code, output, errors = await _run(program, key)
    except (OSError, TimeoutError) as broken:
        raise _helper_failed(program, str(broken) or f"no answer within {HELPER_DEADLINE:g} s") from broken
    said = (output + errors).decode(errors="replace").strip()
    if code != 0 and "not found" in said.lower():
        return None
    try:
        found = json.loads(output) if code == 0 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        # Output that is no JSON may hold a secret: it is never repeated.
        raise _helper_failed(program, said if code != 0 else "its answer is not JSON")
    if found.get("Username") == "<token>":
        return {"identitytoken": found["Secret"]}
    return {"username": found.get("Username", ""), "password": found.get("Secret", "")}


async def _run(program: str, key: str) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        program,
        "get",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate(key.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output, errors


def _invalid(config: Path, why: str) -> UserError:
    return UserError(
        f"Docker's configuration {config} cannot be read: {why}",
        code="docker_config_invalid",
        hint="Correct the file (`docker login` writes it), or set DOCKER_CONFIG to another folder.",
        evidence=(("file", str(config)), ("error", why)),
    )


def _helper_failed(program: str, why: str) -> UserError:
    return UserError(
        f"Docker's credential helper {program} failed: {why}",
        code="credential_helper_failed",
        hint=f"Try `{program} list` by hand, or remove it from Docker's config.json.",
        evidence=(("helper", program), ("error", why)),
    )
