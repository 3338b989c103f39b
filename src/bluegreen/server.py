"""The composition root: the only place where objects are wired together.

``bluegreen serve`` calls :func:`serve`. It takes the lock of its state folder, opens the drivers that
the settings choose, runs the engine and the API, and on SIGTERM or SIGINT ends without touching
traffic: the balancer and the instances go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

import bluegreen
from bluegreen.api.app import create_app
from bluegreen.api.context import About, Context
from bluegreen.api.metrics.tally import Tally
from bluegreen.api.serving import Certificate, Listener, listening, serving
from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.drivers.balancers.haproxy.export import export as haproxy
from bluegreen.drivers.balancers.nginx.export import export as nginx
from bluegreen.drivers.clock import SystemClock
from bluegreen.drivers.probers.http import HttpProber
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.engine.doorkeeper import Doorkeeper
from bluegreen.engine.drivers import Drivers
from bluegreen.engine.engine import Engine
from bluegreen.engine.herald import Herald
from bluegreen.engine.hooks import Hooks
from bluegreen.engine.tries import Tries
from bluegreen.engine.views import Viewer
from bluegreen.lifetime import end, settle, sole_use, told_to_end
from bluegreen.opening import opened, opened_registry
from bluegreen.ports.balancer import Balancer
from bluegreen.ports.messenger import Messenger
from bluegreen.ports.requests import RequestLog
from bluegreen.ports.runtime import Runtime
from bluegreen.settings import Settings

LOCK = "controller.lock"
DOCKER_PATIENCE = 3.0
Notices = AbstractAsyncContextManager[Messenger]

log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Run the controller until SIGTERM or SIGINT. Raises what prevents it from starting."""
    _configure_logging(settings.log_level)
    with (
        sole_use(settings.home, LOCK, _taken(settings.home)),
        listening(settings.socket, settings.listen, _certificate(settings)) as listeners,
    ):
        owner = f"{socket.gethostname()}:{settings.home}"
        async with _drivers(settings, owner) as drivers:
            engine = Engine(drivers, owner=owner)
            await _run(settings, engine, listeners)


async def _run(settings: Settings, engine: Engine, listeners: list[Listener]) -> None:
    ready = asyncio.Event()
    stopped = told_to_end()
    work = asyncio.ensure_future(engine.run(ready))
    ending = asyncio.ensure_future(stopped.wait())
    try:
        opened = asyncio.ensure_future(ready.wait())
        await asyncio.wait({work, ending, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if not work.done() and not stopped.is_set():
            await _answer(settings, engine, listeners, work, ending)
    finally:
        ending.cancel()
        await end(work)


async def _answer(
    settings: Settings,
    engine: Engine,
    listeners: list[Listener],
    work: asyncio.Future[None],
    ending: asyncio.Future[Any],
) -> None:
    """Serve the API until the engine ends or a signal comes."""
    about = About(
        version=bluegreen.__version__,
        pid=os.getpid(),
        runtime=engine.drivers.runtime.name,
        balancer=engine.drivers.balancer.name,
        state_dir=str(settings.home),
    )
    tries = Tries()
    doorkeeper = Doorkeeper(engine.drivers.access, engine.drivers.clock, tries)
    hooks = Hooks(engine.drivers.hooks, tries, engine.drivers.clock)
    await doorkeeper.load()
    await hooks.load()
    tally, notices = Tally(engine), _notices(settings)
    context = Context(
        engine=engine,
        viewer=Viewer(engine),
        about=about,
        doorkeeper=doorkeeper,
        hooks=hooks,
        tally=tally,
        exporters={"haproxy": haproxy, "nginx": nginx},
    )
    beside = asyncio.ensure_future(_watch(engine, tally, notices))
    try:
        async with serving(create_app(context), listeners) as ended:
            settle()
            log.info("controller.ready", socket=str(settings.socket), runtime=about.runtime)
            await asyncio.wait({work, ending, ended, beside}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(beside)


async def _watch(engine: Engine, tally: Tally, notices: Notices | None) -> None:
    """Count what happens, and tell people of it, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(tally.count())
        if notices is not None:
            async with notices as messenger:
                await Herald(engine.bus, messenger, engine.clock).run()


def _notices(settings: Settings) -> Notices | None:
    if settings.notify_url is None:
        return None
    # Imported here: it would cost every start a quarter of a second.
    from bluegreen.drivers.messengers import webhook

    try:
        options = webhook.Options(
            url=settings.notify_url,
            style=settings.notify_style,
            secret=settings.notify_secret,
        )
        return webhook.open_webhook(options)
    except ValidationError as error:
        raise UserError(
            "BLUEGREEN_NOTIFY_URL is no URL",
            code="bad_setting",
            hint="Give https://HOST/PATH, as the receiver names it.",
        ) from error


def _taken(home: Path) -> UserError:
    return UserError(
        f"a controller runs already in {home}",
        code="already_running",
        hint="Use it (`bluegreen status`), or give another folder with --state-dir.",
    )


def _certificate(settings: Settings) -> Certificate | None:
    chain, key = settings.tls_certificate, settings.tls_key
    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise UserError(
            "a certificate and its key go together",
            code="bad_setting",
            hint="Give both --tls-certificate and --tls-key.",
        )
    return Certificate(chain=chain, key=key)


@asynccontextmanager
async def _drivers(settings: Settings, owner: str) -> AsyncIterator[Drivers]:
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(_runtime(settings))
        announcer = await stack.enter_async_context(_announcer(settings, owner))
        balancer, own = await stack.enter_async_context(_balancer(settings, announcer))
        journal = await stack.enter_async_context(opened("journals", "sqlite", {"path": settings.journal}))
        yield Drivers(
            runtime=runtime,
            console=runtime,
            balancer=balancer,
            journal=journal,
            access=journal,
            answers=journal,
            hooks=journal,
            prober=HttpProber(),
            clock=SystemClock(),
            announcer=announcer,
            requests=own if isinstance(own, RequestLog) else None,
        )


@asynccontextmanager
async def _announcer(settings: Settings, owner: str) -> AsyncIterator[Announcer | None]:
    if settings.registry is None:
        yield None
        return
    async with opened_registry(settings.registry) as registry:
        yield Announcer(registry, SystemClock(), owner)


@asynccontextmanager
async def _balancer(
    settings: Settings, announcer: Announcer | None
) -> AsyncIterator[tuple[Balancer, Balancer | None]]:
    """Open the balancer of this box, those of other boxes that follow by a registry, or both as one.

    The second of what is yielded is the one of this box by itself.
    """
    if settings.balancer == "boxes":
        if announcer is None:
            raise UserError(
                "balancers on other boxes need a registry to follow",
                code="bad_setting",
                hint="Give --registry, for example consul://127.0.0.1:8500.",
            )
        yield Boxes(announcer, SystemClock(), None), None
        return
    known = settings.balancer in ("haproxy", "nginx")
    options = _balancer_options(settings) if known else {"state_dir": settings.home / settings.balancer}
    async with opened("balancers", settings.balancer, options) as inner:
        yield inner if announcer is None else Boxes(announcer, SystemClock(), inner), inner


def _balancer_options(settings: Settings) -> dict[str, object]:
    if settings.balancer == "nginx":
        return {
            "state_dir": settings.home / "nginx",
            "binary": settings.nginx_binary,
            "stream_module": settings.nginx_stream_module,
            "run": settings.nginx_run,
            "image": settings.nginx_image,
            "docker_url": settings.docker_url,
            "include_dir": settings.nginx_include_dir,
            "main_config": settings.nginx_main_config,
            "pid_file": settings.nginx_pid_file,
            "keepalive": settings.nginx_keepalive,
        }
    if settings.balancer != "haproxy":
        return {"state_dir": settings.home / settings.balancer}
    options: dict[str, object] = {
        "state_dir": settings.home / "balancer",
        "binary": settings.haproxy_binary,
        "run": settings.haproxy_run,
        "request_log": settings.haproxy_request_log,
    }
    if settings.haproxy_run == "container":
        options |= {"image": settings.haproxy_image, "docker_url": settings.docker_url}
    return options


@asynccontextmanager
async def _runtime(settings: Settings) -> AsyncIterator[Any]:
    """Open the runtime: the one that is named, or Docker when it answers, else processes."""
    process: dict[str, object] = {"state_dir": settings.home / "process"}
    docker: dict[str, object] = {"url": settings.docker_url}
    if settings.runtime == "auto":
        async with opened("runtimes", "docker", docker) as runtime:
            if await _answers(runtime):
                yield runtime
                return
        async with opened("runtimes", "process", process) as runtime:
            yield runtime
        return
    foreign: dict[str, object] = {"state_dir": settings.home / settings.runtime}
    options = {"docker": docker, "process": process}.get(settings.runtime, foreign)
    async with opened("runtimes", settings.runtime, options) as runtime:
        if settings.runtime == "docker":
            await runtime.list()  # say now, not at the first deploy, that Docker cannot be used
        yield runtime


async def _answers(runtime: Runtime) -> bool:
    try:
        async with asyncio.timeout(DOCKER_PATIENCE):
            await runtime.list()
    except (BluegreenError, TimeoutError) as error:
        log.info("runtime.no_docker", error=str(error), using="process")
        return False
    return True


def _configure_logging(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _LastingLogger(),
    )


class _LastingLogger(structlog.PrintLogger):
    """Prints, and goes on where printing fails: a full disk under the log must not stop the work."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = error = critical = exception = fatal = failure = msg
