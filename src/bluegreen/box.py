"""The composition root of ``bluegreen balancer``: discovery → balancer, on a box with nothing else on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen.domain.errors import UserError
from bluegreen.domain.fitting import fitted
from bluegreen.drivers.clock import SystemClock
from bluegreen.drivers.keepsake import FileKeepsake
from bluegreen.engine.follower import Follower, News
from bluegreen.lifetime import end, settle, sole_use, told_to_end
from bluegreen.opening import opened, opened_registry

COPY = "last-good.json"
LOCK = "box.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSettings:
    """``name`` is unique among the boxes of a stack. ``ports`` maps published ports to this box's."""

    home: Path
    name: str
    registry: str
    stacks: tuple[str, ...]
    balancer: str = "haproxy"
    options: Mapping[str, object] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    certificates: Path | None = None


async def follow(settings: BoxSettings, tell: Callable[[News], None]) -> None:
    """Follow until SIGTERM or SIGINT; the balancer goes on without us. Raises what prevents a start."""
    certificates = _certificates(settings.certificates)
    with sole_use(settings.home, LOCK, _taken(settings.home)):
        options = {"state_dir": settings.home / settings.balancer, **settings.options}
        async with (
            opened_registry(settings.registry) as registry,
            opened("balancers", settings.balancer, options) as balancer,
        ):
            follower = Follower(
                registry,
                balancer,
                FileKeepsake(settings.home / COPY),
                SystemClock(),
                box=settings.name,
                stacks=settings.stacks,
                adjust=lambda routing: fitted(routing, settings.ports, certificates),
                tell=tell,
            )
            await _until_told(follower)


async def _until_told(follower: Follower) -> None:
    told = told_to_end()
    settle()
    work = asyncio.ensure_future(follower.run())
    waiting = asyncio.ensure_future(told.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await end(work)


def _taken(home: Path) -> UserError:
    return UserError(
        f"another `bluegreen balancer` runs in {home}",
        code="already_running",
        hint="End it, or give another folder with --state-dir.",
    )


def _certificates(folder: Path | None) -> tuple[str, ...]:
    """Return the PEM texts (certificate chain and key in one file each) of a folder, by name."""
    if folder is None:
        return ()
    try:
        found = tuple(path.read_text() for path in sorted(folder.glob("*.pem")))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the certificates in {folder} cannot be read: {error}",
            code="bad_setting",
            hint="Each is a PEM file with its chain and its key, readable by this user.",
        ) from error
    if not found:
        raise UserError(
            f"{folder} holds no certificate", code="bad_setting", hint="Put one there as NAME.pem."
        )
    return found
