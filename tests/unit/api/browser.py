"""A browser in front of the scene: it keeps cookies, follows no redirect, fills forms."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Self

import httpx
from fastapi import FastAPI

from bluegreen.api.access.entrance import SOCKET, TCP, Entrance

PAGE = {"Accept": "text/html"}


class Browser:
    """``way`` is how it comes in: by TCP with TLS, or by the unix socket."""

    def __init__(self, app: FastAPI, way: str = TCP, base: str = "https://box") -> None:
        client = ("10.0.0.9", 1) if way == TCP else ("root", 0)
        transport = httpx.ASGITransport(Entrance(app, way), raise_app_exceptions=False, client=client)
        self.http = httpx.AsyncClient(transport=transport, base_url=base, verify=False, headers=PAGE)

    @classmethod
    def by_socket(cls, app: FastAPI, base: str = "http://localhost") -> Self:
        return cls(app, SOCKET, base)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def log_in(self, token: str, next: str = "/") -> httpx.Response:
        form = await self.http.get("/login", params={"next": next})
        sent = {"csrf": field(form, "csrf"), "next": field(form, "next"), "token": token}
        return await self.http.post("/login", data=sent)

    async def get(self, path: str, **request: Any) -> httpx.Response:
        return await self.http.get(path, **request)

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Load the form at ``path``, and send it with ``fields``."""
        form = await self.http.get(path)
        assert form.status_code == 200, form.text
        return await self.http.post(path, data={"csrf": field(form, "csrf")} | fields)


def field(answer: httpx.Response, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found, answer.text
    return found.group(1)
