"""As much of the Docker Engine's API as one container needs, over its unix socket.

Called by the container runners of drivers. Rule: every call is under one deadline and can be repeated, as
all are about one container by its name; nothing but errors of :mod:`bluegreen.domain.errors` gets out.
Source of paths and fields: the Engine API reference, version 1.41.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError

STANDARD_SOCKET = "unix:///var/run/docker.sock"
_ENDLESS = aiohttp.ClientTimeout(total=None)
_MISSING_PROGRAM = "executable file not found"


Evidence = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Who is run, for the words of errors: ``name`` for people, the ``variable`` that names its image, and
    ``missing``, which returns the error for an image without the program.
    """

    name: str
    variable: str
    missing: Callable[[Evidence], UserError]


class EngineApi:
    """The Engine at ``address`` (``unix://…``). Open it as a context; nothing is sent by that."""

    def __init__(self, tenant: Tenant, address: str, deadline: float) -> None:
        self.tenant = tenant
        self.address = address
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> EngineApi:
        connector = aiohttp.UnixConnector(path=self.address.removeprefix("unix://"))
        self._session = aiohttp.ClientSession(connector=connector, timeout=_ENDLESS)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def find(self, name: str) -> Mapping[str, Any] | None:
        """Return what the Engine knows of a container, ``None`` if there is none."""
        found = await self._call("GET", f"containers/{name}/json", accept={404})
        return None if found is None else json.loads(found)

    async def create(self, name: str, body: Mapping[str, Any]) -> None:
        """Create a container. Raises ``UserError`` (``image_missing``)."""
        image = str(body["Image"])
        if await self._call("POST", f"containers/create?name={name}", body=body, accept={404}) is None:
            raise UserError(
                f"the image {image} is not on this machine",
                code="image_missing",
                hint=f"`docker pull {image}`, or name another image of {self.tenant.name} with"
                f" {self.tenant.variable}.",
                evidence=(("image", image), ("docker", self.address)),
            )

    async def start(self, name: str) -> None:
        await self._call("POST", f"containers/{name}/start")

    async def stop(self, name: str, grace: int) -> None:
        """Send the container its stop signal; kill it after ``grace`` seconds. Absent is fine."""
        deadline = self._deadline + grace
        await self._call("POST", f"containers/{name}/stop?t={grace}", accept={404}, deadline=deadline)

    async def remove(self, name: str) -> None:
        """Kill and forget a container; return when its name is free. Absent is fine."""
        path = f"containers/{name}?force=true&v=true"
        try:
            await self._call("DELETE", path, accept={404})
        except Permanent as error:
            if error.code != "docker_conflict":
                raise
            # Somebody else is removing it: nothing is left to do but to wait for it.
            await self._call("POST", f"containers/{name}/wait?condition=removed", accept={404})

    async def words(self, name: str) -> str:
        """Return what a container has printed, standard output and error together."""
        said = await self._call(
            "GET", f"containers/{name}/logs?stdout=true&stderr=true&tail=50", accept={404}
        )
        return _unframed(said or b"")

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str] | None:
        """Run a command in a running container; return its exit code and words, ``None`` if none runs."""
        asked = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        made = await self._call("POST", f"containers/{name}/exec", body=asked, accept={404, 409})
        if made is None:
            return None
        number = json.loads(made)["Id"]
        said = await self._call("POST", f"exec/{number}/start", body={}, accept={404, 409})
        ended = await self._call("GET", f"exec/{number}/json", accept={404})
        code = json.loads(ended)["ExitCode"] if ended is not None else None
        return None if said is None or code is None else (int(code), _unframed(said))

    async def run(self, name: str, body: Mapping[str, Any], deadline: float) -> tuple[int, str]:
        """Run a container of its own to its end; return its exit code and words, and forget it.

        Raises ``TimeoutError`` when it has not ended ``deadline`` seconds after its creation.
        """
        await self.remove(name)
        await self.create(name, body)
        try:
            async with asyncio.timeout(deadline), self.exit_of(name) as ended:
                await self.start(name)
                code = await ended
            return code, await self.words(name)
        finally:
            await self.remove(name)

    @asynccontextmanager
    async def exit_of(self, name: str) -> AsyncIterator[asyncio.Future[int]]:
        """Yield what becomes the exit code of the container when it ends the next time.

        When the block is entered the Engine watches: an end right after the start is not missed.
        """
        path = f"containers/{name}/wait?condition=next-exit"
        async with AsyncExitStack() as stack:
            async with self._bounded(path, self._deadline):
                response = await stack.enter_async_context(self._sent("POST", path))
            ended = asyncio.ensure_future(self._exit_code(response))
            try:
                yield ended
            finally:
                ended.cancel()
                await asyncio.wait((ended,))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        accept: Collection[int] = (),
        deadline: float | None = None,
    ) -> bytes | None:
        """Return the body of the answer, ``None`` for a status in ``accept``."""
        bound = self._deadline if deadline is None else deadline
        async with self._bounded(path, bound), self._sent(method, path, body, accept) as response:
            answer = await response.read()
            return None if response.status in accept else answer

    @asynccontextmanager
    async def _bounded(self, path: str, deadline: float) -> AsyncIterator[None]:
        """Give the block ``deadline`` seconds, and translate what goes wrong in it."""
        try:
            async with asyncio.timeout(deadline):
                yield
        except TimeoutError:
            raise Temporary(
                f"Docker at {self.address} did not answer within {deadline:g} s",
                code="docker_timeout",
                hint="Check the Docker Engine and the load of its host; the call may be repeated.",
                evidence=(("asked", path),),
            ) from None
        except (aiohttp.ClientError, OSError) as broken:
            raise _unreachable(self.tenant, self.address, broken) from None

    async def _exit_code(self, response: aiohttp.ClientResponse) -> int:
        try:
            return int(json.loads(await response.read())["StatusCode"])
        except (aiohttp.ClientError, OSError, ValueError) as broken:
            raise _unreachable(self.tenant, self.address, broken) from None

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: object = None, accept: Collection[int] = ()
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "EngineApi is used outside of its context"
        async with self._session.request(method, f"http://docker/{path}", json=body) as response:
            if response.status >= 400 and response.status not in accept:
                raise _refusal(self.tenant, response.status, await response.read())
            yield response


def address_of(tenant: Tenant, url: str | None) -> str:
    """Return the address of this box's Engine: ``url``, ``DOCKER_HOST`` or the usual socket.

    Raises ``UserError`` (``bad_setting``) for an Engine that is not reached through a unix socket.
    """
    address = url or os.environ.get("DOCKER_HOST") or STANDARD_SOCKET
    if not address.startswith("unix://"):
        raise UserError(
            f"{tenant.name} cannot be run in a container of {address}",
            code="bad_setting",
            hint="It uses the ports and files of this box: give the unix socket of this box's Docker Engine.",
        )
    return address


def _unframed(said: bytes) -> str:
    """Return the text of an output that comes in frames of 8 bytes and a payload."""
    text = b""
    while len(said) >= 8:
        end = 8 + int.from_bytes(said[4:8])
        text, said = text + said[8:end], said[end:]
    return text.decode(errors="replace")


def _refusal(tenant: Tenant, status: int, answer: bytes) -> BluegreenError:
    try:
        words = str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        words = answer[:500].decode(errors="replace").strip() or "no reason given"
    evidence = (("docker", words), ("status", str(status)))
    if _MISSING_PROGRAM in words:
        return tenant.missing(evidence)
    if status == 409:
        return Permanent(f"Docker: {words}", code="docker_conflict", evidence=evidence, hint="Try again.")
    if status >= 500:
        return Temporary(
            f"Docker failed: {words}",
            code="docker_failed",
            hint="Look into the Docker Engine's log (`journalctl -u docker`).",
            evidence=evidence,
        )
    return Permanent(
        f"Docker refused to run {tenant.name}: {words}",
        code="docker_refused",
        hint=f"Correct what the evidence names, or run {tenant.name} without a container.",
        evidence=evidence,
    )


def _unreachable(tenant: Tenant, address: str, broken: Exception) -> BluegreenError:
    evidence = (("address", address), ("error", str(broken) or type(broken).__name__))
    if isinstance(broken, PermissionError) or isinstance(getattr(broken, "os_error", None), PermissionError):
        return Permanent(
            f"this user may not use Docker at {address}: permission denied",
            code="docker_forbidden",
            hint="Add the user to the group docker (`sudo usermod -aG docker $USER`, then log in again).",
            evidence=evidence,
        )
    return Temporary(
        f"Docker cannot be reached at {address}",
        code="docker_unreachable",
        hint=f"Start the Docker Engine (`systemctl start docker`); if {tenant.name} runs, it goes on.",
        evidence=evidence,
    )
