"""The acts of the demo: stack up, users arrive, green → blue by two commands, and back by one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp

from bluegreen.demo.commands import Shell
from bluegreen.demo.stage import Stage
from bluegreen.demo.story import Story
from bluegreen.domain.errors import Permanent
from bluegreen.load import Edge, LoadProcess, Plan, Result

_ANSWERS_WITHIN = 15.0
_POLL = 0.05
_LONGEST_COMMANDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is played. ``duration`` is how long the users are left alone, in seconds, in three parts:
    before the switch, after it, and after the way back. ``file`` is the stack's file."""

    file: str
    port: int
    duration: float

    @property
    def pause(self) -> float:
        return self.duration / 3

    @property
    def plan(self) -> Plan:
        """Load that leaves two cores to what is shown; ended by us, so its own end is far away."""
        return Plan(
            url=f"http://127.0.0.1:{self.port}",
            duration=self.duration + _LONGEST_COMMANDS,
            rate=300.0,
            keepalive=8,
            oneshot=4,
            post=4,
            slow=3,
        )


async def perform(stage: Stage, story: Story, script: Script) -> Result:
    """Play all acts; return what the users saw. Raises what makes one impossible."""
    shell = Shell(story=story, environment=stage.environment, folder=stage.files)
    story.heading("1. The stack: webx-green (0.0.1) is linked to lbx, webx-blue (0.0.2) runs beside it")
    publish = f"80={script.port}"
    await shell.type("up", "-f", script.file, "-n", stage.stack, "--publish", publish, "--yes")
    await _answered(script.plan.url)
    async with await LoadProcess.start(script.plan) as load:
        await _users_arrive(load, story, script)
        story.heading("3. From green to blue, by Docker Cloud's two commands")
        await shell.type("service", "set", "--link", "webx-blue:webx-blue", "lbx")
        await _typed(shell, load, "green → blue", "service", "redeploy", "lbx")
        await _left_alone(load, story, script)
        story.heading("4. And back")
        await _typed(shell, load, "rollback", "rollback", "lbx")
        await _left_alone(load, story, script)
        return await load.stop()


async def _answered(url: str) -> None:
    """Wait until the balancer answers a user, as ``up`` has just promised."""
    seen = "nothing"
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN), aiohttp.ClientSession() as session:
            while seen != "200":
                try:
                    async with session.get(f"{url}/ping") as answer:
                        seen = str(answer.status)
                except aiohttp.ClientError as error:
                    seen = str(error)
                await asyncio.sleep(_POLL)
    except TimeoutError as error:
        raise Permanent(
            f"{url} does not answer although the stack is up",
            code="demo_no_answer",
            evidence=(("last answer", seen),),
            hint="Please report it with the output of `bluegreen doctor`.",
        ) from error


async def _users_arrive(load: LoadProcess, story: Story, script: Script) -> None:
    plan = script.plan
    story.heading(
        f"2. Users arrive at {plan.url}: {plan.keepalive} keep their connection, {plan.oneshot} connect "
        f"each time,\n   {plan.post} post, {plan.slow} always have a slow request in flight"
    )
    await _left_alone(load, story, script)


async def _typed(shell: Shell, load: LoadProcess, mark: str, *words: str) -> None:
    """Type a command that moves traffic, and mark in the load when it began and ended."""
    began, ended = await shell.type(*words)
    await load.mark(mark, at=began)
    await load.mark(mark, Edge.END, at=ended)


async def _left_alone(load: LoadProcess, story: Story, script: Script) -> None:
    await asyncio.sleep(script.pause)
    seen = await load.progress()
    story.remark(f"users: {seen.requests:,} requests, {seen.failed} failed; now served by {seen.latest}")
