"""Secrets are planted in a controller that lives through good and bad releases and its own death.

Then everything that anybody can look at is looked at: none is there.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from bluegreen.api.access import rights
from bluegreen.domain.access import Role
from tests.docs.pages import ROOT
from tests.support.house import House
from tests.support.ports import free_port
from tests.support.waiting import until

MARKED, TELLING, OVERRIDE = "canary-of-a-url", "canary-of-a-password", "canary-of-one-release"
NOTIFY, REGISTRY = "canary-of-a-chat", "canary-of-a-registry"

STACK = """
name: shop
services:
  web:
    image: shop/web:0.0.1
    restart: always
    environment: {{DB_PASSWORD: {telling}, DATABASE_URL: "{marked}", MODE: fast}}
    x-bluegreen:
      route: {{listen: "127.0.0.1:{port}", name: web}}
      check: {{method: OPTIONS, path: /ping, interval: 0.5s, timeout: 0.5s, rise: 1, fall: 2}}
      secret_environment: [DATABASE_URL]
      start_deadline: 20s
      max_restarts: 0
      bake: 60s
      drain: 1s
      process:
        command:
        - sh
        - -c
        - 'echo "I use $$DATABASE_URL"; exec "$$0" -m bluegreen.sample.app --version {{tag}} --port {{port}}'
        - '{{python}}'
"""

ENDLESS = ("/v1/events/stream", "/live")
"""They last until somebody hangs up; the second says only that something changed."""

LOOKS = ("service env ls web", "stack export shop", "plan -f {file}", "logs web", "hook ls", "token ls")
"""Commands that print in words of their own; the others print what the API answers."""


class Box:
    """A house with a door on the network, a chat that is told things, and a note of all that was said."""

    def __init__(self, house: House, client: httpx.AsyncClient, told: list[str], folder: Path) -> None:
        self.house = house
        self.client = client
        self.told = told
        self.folder = folder
        self.secrets = {MARKED, TELLING, OVERRIDE, NOTIFY, REGISTRY}
        self.seen: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[Box]:
        told: list[str] = []

        async def take(request: web.Request) -> web.Response:
            told.append(f"{dict(request.headers)} {await request.text()}")
            return web.Response()

        app, port = web.Application(), free_port()
        app.router.add_post(f"/{NOTIFY}", take)
        async with TestServer(app) as chat:
            settings = {"notify_url": str(chat.make_url(f"/{NOTIFY}")), "notify_secret": NOTIFY}
            settings |= {"listen": f"127.0.0.1:{port}", "registry_token": REGISTRY}
            async with House.standing(**settings) as house:
                address = f"http://127.0.0.1:{port}"
                async with httpx.AsyncClient(base_url=address, verify=False, timeout=20.0) as client:
                    yield cls(house, client, told, folder)

    def list_processes(self) -> None:
        """Note the command line of every process, as everybody on the box can read it."""
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                words = " ".join(process.cmdline())
                self.seen[f"process {words}"] = words

    async def do(self, *words: str, code: int = 0) -> str:
        """Run a command; note what it printed. Return what went to standard output."""
        ran = await self.house.cli(*words)
        assert ran.code == code, ran
        self.seen[" ".join(words)] = ran.out + ran.err
        return ran.out.strip()

    async def token(self, role: Role) -> str:
        """Make a token; have its secret looked for from now on."""
        made = await self.house.post("/v1/tokens", {"name": role, "role": role})
        self.secrets.add(made["text"].split("_", 2)[2])
        return str(made["text"])

    async def hook(self, name: str) -> str:
        """Make a hook, as a person does; have its secret looked for from now on."""
        made = await self.house.cli("hook", "create", name, "--service", "web.shop", "-q")
        assert made.code == 0, made
        secret = made.out.strip()
        self.secrets.add(secret.removeprefix("whsec_"))
        return secret

    async def ask(self, path: str, token: str = "", method: str = "GET", **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= request.pop("headers", {})
        answer = await self.client.request(method, path, headers=headers, **request)
        self.seen[f"{method} {path} {token}"] = f"{answer.headers} {answer.text}"
        return answer

    async def shell(self, script: str, *shell: str, **environment: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *shell, "-c", script, env={**os.environ, **environment}, stdout=-1, stderr=-2
        )
        async with asyncio.timeout(60.0):
            out, _ = await process.communicate()
        assert process.returncode is not None
        self.seen[f"shell {len(self.seen)}"] = out.decode()
        return process.returncode, out.decode()

    def leaks(self) -> list[tuple[str, str]]:
        return [(where, s) for where, text in self.seen.items() for s in self.secrets if s in text]


async def release(box: Box, secret: str) -> None:
    """Release as the workflow in contrib does; then ask after it as the page in docs does."""
    (box.folder / "compose.yml").write_text(STACK.format(marked=MARKED, telling=TELLING, port=box.house.port))
    await box.do("up", "-f", str(box.folder / "compose.yml"), "--yes")
    hook = await box.hook("github")
    workflow = yaml.safe_load((ROOT / "contrib" / "github-deploy-hook.yml").read_text())
    (step,) = workflow["jobs"]["deploy"]["steps"]
    sender = {
        "BLUEGREEN_HOOK_URL": str(box.client.base_url.join("/v1/hooks/github")),
        "BLUEGREEN_HOOK_SECRET": hook,
    }
    run = {"GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_REF_NAME": "v0.0.2"}
    code, said = await box.shell(step["run"], "bash", "-e", **sender, **run)
    assert code == 0, said
    assert await box.house.version() == "0.0.2"

    bad = {"FAIL_PING": "500", "EXIT_AFTER": "1", "ONCE_SECRET": OVERRIDE}
    refused = await box.house.post("/v1/services/web/deploy", {"environment": bad})
    ended = await box.house.final(refused["rollout"]["id"])
    box.list_processes()
    assert "I use (secret)" in str(ended["reason"]["evidence"]), ended
    await until(lambda: any("rollout.failed" in text for text in box.told), timeout=20.0)

    box.house.kill()
    await box.house.start()
    script = (ROOT / "docs" / "howto" / "hooks.md").read_text().split("```sh\n")[1].split("```")[0]
    code, again = await box.shell(script, "sh", **sender, ID="github-1-1", IMAGE="shop/web:0.0.2")
    assert code == 0, again
    first = yaml.safe_load(said.strip())["rollout"]["id"]
    assert yaml.safe_load(again)["rollout"]["id"] == first


async def ask_amiss(box: Box, token: str) -> None:
    stack = (await box.ask("/v1/stacks/shop", token)).json()
    stack["services"][0]["environment"]["NEW_TOKEN"] = "(secret)"
    assert (await box.ask("/v1/stacks/shop", token, "PUT", json=stack)).status_code == 400
    assert (
        await box.ask("/v1/services/web/scale", token, "POST", json={"replicas": MARKED})
    ).status_code == 422
    wrong = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    assert (await box.ask("/v1/hooks/github", "", "POST", headers=wrong, json={})).status_code == 401
    assert (await box.ask("/v1/status", token[:-2])).status_code == 401


async def ask_everything(box: Box, tokens: dict[str, str]) -> None:
    """Ask every question that the API describes, and for every page, as each role."""
    described = await box.house.get("/openapi.json")
    paths = [path for path, methods in described["paths"].items() if "get" in methods]
    pages = [path for method, path in rights.PAGES if method == "GET"]
    rollouts = [rollout["id"] for rollout in await box.house.get("/v1/rollouts")]
    instance = (await box.house.get("/v1/instances"))[0]["name"]
    assert len(rollouts) == 3
    for role, token in tokens.items():
        for path in (path for path in (*paths, *pages) if path not in ENDLESS):
            if not role.covers(rights.needed(("GET", path))):
                continue
            noun = path.removeprefix("/v1").split("/")[1]
            name = {"stacks": "shop", "instances": instance}.get(noun, "web")
            filled = path.replace("{name}", name).replace("{stack}", "shop").replace("{format}", "haproxy")
            for id in rollouts if "{id}" in path else rollouts[:1]:
                answer = await box.ask(filled.replace("{id}", id), token)
                assert answer.status_code not in {401, 403, 500}, (filled, answer.text)
    box.seen["stream"] = await _stream(box, tokens["admin"])


async def _stream(box: Box, token: str) -> str:
    """Return the stream of all events so far."""
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": "0"}
    last, lines = (await box.house.get("/v1/events?limit=1000"))[-1]["id"], []
    async with (
        asyncio.timeout(20.0),
        box.client.stream("GET", "/v1/events/stream", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            lines.append(line)
            if line == f"id: {last}":
                break
    return "\n".join(lines)


def read_files(box: Box) -> None:
    """Note what everybody on the box could read of the state folder, were the folder itself open."""
    for path in box.house.home.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mode & stat.S_IROTH:
                box.seen[str(path)] = path.read_bytes().decode(errors="replace")


def test_no_planted_secret_is_found_anywhere(tmp_path: Path) -> None:
    async def main() -> None:
        async with Box.open(tmp_path) as box:
            tokens = {role: await box.token(role) for role in Role}
            await release(box, tokens["admin"])
            await ask_amiss(box, tokens["admin"])
            await ask_everything(box, tokens)
            file = tmp_path / "compose.yml"
            await asyncio.gather(*(box.do(*words.format(file=file).split()) for words in LOOKS))
            assert "(secret)" in box.seen["service env ls web"]
            assert "I use (secret)" in box.seen["logs web"]
            assert "github" in box.seen["hook ls"]
            await box.do("hook", "rm", "github")
            assert "github" not in await box.do("hook", "ls")
            read_files(box)
            box.list_processes()
            box.seen |= {"log": box.house.log(), "told": "\n".join(box.told)}
            assert box.leaks() == []
            journal = box.house.home / "journal.sqlite"
            assert stat.S_IMODE(journal.stat().st_mode) == 0o600

    asyncio.run(main())
