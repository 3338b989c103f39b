"""Who does the harm: the same deeds on a process and on a container, past bluegreen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import aiohttp

from bench import docker
from bench.controller import Controller
from bench.docker import EngineApi


class Hands(Protocol):
    """Deeds on the instance of a name."""

    async def kill(self, name: str) -> None: ...

    async def stop(self, name: str) -> None:
        """End it as a person would who asks it to."""

    async def freeze(self, name: str) -> None:
        """Make its main process stand still without its runtime's knowledge."""

    async def pause(self, name: str, on: bool) -> None: ...


class ProcessHands:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def kill(self, name: str) -> None:
        os.kill(self._controller.pids()[name], signal.SIGKILL)

    async def stop(self, name: str) -> None:
        os.kill(self._controller.pids()[name], signal.SIGTERM)

    async def freeze(self, name: str) -> None:
        os.kill(self._controller.pids()[name], signal.SIGSTOP)

    async def pause(self, name: str, on: bool) -> None:
        raise NotImplementedError("a process cannot be paused but by `freeze`")


class DockerHands:
    def __init__(self, api: EngineApi) -> None:
        self._api = api

    async def kill(self, name: str) -> None:
        await self._api.call("POST", f"/containers/{name}/kill?signal=KILL")

    async def stop(self, name: str) -> None:
        await self._api.call("POST", f"/containers/{name}/stop?t=5")

    async def freeze(self, name: str) -> None:
        found = await self._api.call("GET", f"/containers/{name}/json")
        os.kill(found["State"]["Pid"], signal.SIGSTOP)

    async def pause(self, name: str, on: bool) -> None:
        await self._api.call("POST", f"/containers/{name}/{'pause' if on else 'unpause'}")


async def tell(address: str, wish: str) -> None:
    """Have the sample application at ``address`` do ``wish`` (its ``/control``), past the balancer."""
    waiting = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=waiting) as session:
        with suppress(aiohttp.ClientConnectionError, TimeoutError):  # told to exit, it does not answer
            async with session.post(f"http://{address}/control?do={wish}") as answer:
                await answer.read()


@asynccontextmanager
async def stage(runtime: str) -> AsyncIterator[tuple[Controller, Hands]]:
    """Run a controller on ``runtime`` with nothing on it, and whoever can harm what it will start."""
    if runtime == "process":
        async with Controller.standing() as controller:
            yield controller, ProcessHands(controller)
        return
    engine = docker.engine()
    found = await asyncio.to_thread(engine.__enter__)
    try:
        async with (
            docker.EngineApi.connected(found) as api,
            Controller.standing("docker", BLUEGREEN_DOCKER_URL=found.url) as controller,
        ):
            yield controller, DockerHands(api)
    finally:
        await asyncio.to_thread(engine.__exit__, None, None, None)
