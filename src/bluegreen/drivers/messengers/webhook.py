"""Tells a URL of each event by POST: the whole event as JSON, or one line as Slack and its kin take it.

Rule: the URL is as good as a password where it belongs to a chat, so it is in no message and no log.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.notice import sentence, signature
from bluegreen.ports.messenger import Messenger

SIGNATURE = "X-Bluegreen-Signature"
DELIVERY = "X-Bluegreen-Delivery"
"""The event's id: who gets one twice, as an answer may be lost, knows it by that."""


class Options(BaseModel):
    """``style`` is what the receiver takes. With ``secret`` each message bears its signature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr
    style: Literal["json", "slack"] = "json"
    secret: SecretStr | None = None
    deadline: float = 10.0

    @field_validator("url")
    @classmethod
    def _is_one(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it is no URL of http or https")
        return url


class Webhook:
    """See :class:`bluegreen.ports.messenger.Messenger`. Opened by :func:`open_webhook`."""

    name = "webhook"

    def __init__(self, session: aiohttp.ClientSession, options: Options) -> None:
        self._session = session
        self._options = options

    async def tell(self, event: Event) -> None:
        body = json.dumps(self._said(event), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", DELIVERY: str(event.id)}
        if self._options.secret is not None:
            headers[SIGNATURE] = signature(body, self._options.secret.get_secret_value())
        try:
            async with self._session.post(
                self._options.url.get_secret_value(), data=body, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Temporary(
                f"nobody took the message: {type(error).__name__}", code="messenger_silent"
            ) from error
        if status in (408, 425, 429) or status >= 500:
            raise Temporary(f"the message was not taken now: status {status}", code="messenger_silent")
        if not 200 <= status < 300:
            raise Permanent(f"the message was refused: status {status}", code="messenger_refused")

    def _said(self, event: Event) -> dict[str, object]:
        if self._options.style == "slack":
            return {"text": sentence(event)}
        return {**asdict(event), "data": dict(event.data)}


@asynccontextmanager
async def open_webhook(options: Options) -> AsyncIterator[Webhook]:
    timeout = aiohttp.ClientTimeout(total=options.deadline)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Webhook(session, options)


_: type[Messenger] = Webhook
