"""One session with ZooKeeper, for asyncio.

kazoo keeps the connection in threads of its own. What they tell is handed to the event loop by
``call_soon_threadsafe``, and nothing is asked of a connection that is not there: kazoo would keep the
question and send it later, when whoever asked has long given up and maybe decided otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import WriterNotClosedException
from kazoo.protocol.states import KazooState, KeeperState
from kazoo.retry import KazooRetry
from kazoo.security import make_acl

from bluegreen.drivers.registries.zookeeper.faults import ANSWERS, down, refused, translated
from bluegreen.drivers.registries.zookeeper.handler import Handler
from bluegreen.drivers.registries.zookeeper.options import Options

Question = Callable[[KazooClient], Any]
"""Asks the client something and returns kazoo's promise of an answer."""

AT_ONCE = 100
"""Questions in one go, of which two may be under way. kazoo wakes its thread by a byte for each, in a pipe
that holds less than 300."""

_QUIET = logging.getLogger("bluegreen.zookeeper.kazoo")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class Link:
    """``epoch`` counts connections: whoever set watches in another epoch has lost them.

    ``session`` is the present session's number, ``sessions`` all that this link ever had. ``online`` is
    whether there is a connection now.
    """

    def __init__(self, options: Options) -> None:
        self.epoch = 0
        self.online = False
        self.session = 0
        self.sessions: set[int] = set()
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._ears: set[asyncio.Event] = set()
        self._synced = 0
        self._closed = False
        self._gave_up = ""
        self._restarting = asyncio.Lock()
        self._turns = asyncio.Semaphore(2)
        self._start()

    @property
    def client(self) -> KazooClient:
        return self._client

    @property
    def deadline(self) -> float:
        return self._options.deadline

    def _start(self) -> None:
        try:
            self._handler = Handler(self._options.deadline)
            self._client = _client(self._options, self._handler)
        except ValueError as error:
            raise refused(f"the address {self._options.address}", str(error)) from None
        client = self._client

        def heard(state: str) -> None:
            self._heard(client, state)

        client.add_listener(heard)
        client.start_async()

    async def close(self) -> None:
        """Drop the connection and end every thread. The session is not ended: ZooKeeper does, in its time."""
        self._closed = True
        await asyncio.to_thread(_end, self._client, self._handler)

    @contextmanager
    def ear(self) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever the connection comes or goes."""
        event = asyncio.Event()
        self._ears.add(event)
        try:
            yield event
        finally:
            self._ears.discard(event)

    def call_soon(self, function: Callable[..., None], *arguments: object) -> None:
        """Have the event loop call ``function``; for kazoo's threads. A loop that is gone is fine."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    async def one(self, what: str, question: Question) -> Any:
        """Return the answer. Raises what :meth:`all` raises, and kazoo's exceptions of ``ANSWERS``."""
        (answer,) = await self.all(what, [question])
        if isinstance(answer, ANSWERS):
            raise answer
        return answer

    async def all(self, what: str, questions: Sequence[Question]) -> list[Any]:
        """Return all answers, in order; an exception of ``ANSWERS`` stands in its place.

        Raises ``Temporary`` (``registry_down``), ``Permanent`` (``registry_refused``).
        """
        answers: list[Any] = []
        for start in range(0, len(questions), AT_ONCE):
            try:
                async with asyncio.timeout(self.deadline):
                    await self._ready(what)
                    async with self._turns:
                        promises = await self._promises(questions[start : start + AT_ONCE])
            except TimeoutError:
                why = "no answer" if self.online else "no connection"
                raise down(self._options.address, what, f"{why} within {self.deadline:g} s") from None
            answers += [self._answer(what, promise) for promise in promises]
        return answers

    def _answer(self, what: str, promise: Any) -> Any:
        if promise.successful():
            return promise.value
        if isinstance(promise.exception, ANSWERS):
            return promise.exception
        raise translated(promise.exception, self._options.address, what) from None

    async def _ready(self, what: str) -> None:
        """Wait for a connection that is up to date: a member that lags behind would tell what was."""
        if self._closed:
            raise down(self._options.address, what, "the registry was closed here")
        async with self._restarting:
            if self._gave_up:
                await self._restart()
        with self.ear() as heard:
            while not self.online:
                heard.clear()
                await heard.wait()
                if self._gave_up:
                    raise refused(what, f"the session ended: {self._gave_up}", self._options.address)
        if self._synced != self.epoch:
            epoch = self.epoch
            (promise,) = await self._promises([lambda client: client.sync_async("/")])
            self._answer(what, promise)
            self._synced = epoch

    async def _promises(self, questions: Sequence[Question]) -> list[Any]:
        """Ask, and return kazoo's promises once all are kept or broken."""
        done = self._loop.create_future()
        promises = [question(self._client) for question in questions]
        waiting = set(promises)

        def settled(promise: Any) -> None:
            waiting.discard(promise)
            if not waiting:
                self.call_soon(_finish, done)

        for promise in promises:
            promise.rawlink(settled)
        await done
        return promises

    async def _restart(self) -> None:
        """Begin anew after kazoo gave up: its thread has ended, as it does when credentials are refused."""
        await asyncio.to_thread(_end, self._client, self._handler)
        if self._closed:
            return
        self._gave_up = ""
        self._start()

    def _heard(self, client: KazooClient, state: str) -> None:
        """Called in kazoo's thread, between its losing a connection and its making the next."""
        if state == KazooState.CONNECTED:
            self.call_soon(self._connected, client, client.client_id)
            return
        # A server that came back without its data knows less than we saw, and would close the door on us for
        # ever instead of saying that our session is unknown. That we read nothing old is what sync is for.
        client.last_zxid = 0
        self.call_soon(self._disconnected, client, client.client_state)

    def _connected(self, client: KazooClient, identity: tuple[int, bytes] | None) -> None:
        if client is not self._client or identity is None:
            return
        self.online = True
        self.epoch += 1
        self.session = identity[0]
        self.sessions.add(self.session)
        self._tell()

    def _disconnected(self, client: KazooClient, state: str) -> None:
        if client is not self._client:
            return
        self.online = False
        self._gave_up = state if state in (KeeperState.CLOSED, KeeperState.AUTH_FAILED) else ""
        self._tell()

    def _tell(self) -> None:
        for event in self._ears:
            event.set()


def _client(options: Options, handler: Handler) -> KazooClient:
    retry = KazooRetry(max_tries=-1, delay=0.1, backoff=2, max_delay=1.0, sleep_func=handler.sleep_func)
    auth = None if options.token is None else options.token.get_secret_value()
    acl = [make_acl("auth", "", all=True), make_acl("world", "anyone", read=True)]
    return KazooClient(
        hosts=options.address,
        timeout=options.session_timeout,
        handler=handler,
        auth_data=[("digest", auth)] if auth else None,
        default_acl=acl if auth else None,
        connection_retry=retry,
        logger=_QUIET,
    )


def _end(client: KazooClient, handler: Handler) -> None:
    handler.hang_up()
    with suppress(WriterNotClosedException):  # its thread waits for a name to be looked up, and ends then
        with suppress(OSError):
            client.stop()
        client.close()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
