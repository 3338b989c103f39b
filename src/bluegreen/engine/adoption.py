"""What to do with a stack that runs but is not in the journal: the journal was lost, the world was not.

Called by ``up`` for a stack it does not know. What runs is taken over from its labels, and who is live
from the balancer, so that the releases of ``up`` follow after them as in any other rollout: proved
first, then switched. Whether a running release is what the file says cannot be known any more, so it is
never taken for it: the file's own release is rolled out beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bluegreen.domain.composition import compose
from bluegreen.domain.errors import Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.instance import Instance
from bluegreen.domain.live import live_pool
from bluegreen.domain.naming import Color, color_of, service_of
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.routing import Routing
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import AddRelease, Change, SaveService

UNKNOWN = "bluegreen.adopted"
"""A label that no file sets: it makes an adopted release differ from whatever the file says."""


async def adopt(engine: Engine, stack: StackSpec) -> None:
    """Take over what runs of ``stack``; nothing is started, stopped or moved."""
    await engine.inventory.resync()
    await _adopt_traffic(engine, stack)
    changes: list[Change] = []
    for spec in stack.services:
        changes += await _adopt_service(engine, stack, spec)
    if changes:
        now = engine.clock.now()
        told = f"{stack.name} runs but was not in the journal: taken over from its labels"
        event = Event(kind="stack.adopted", message=told, at=now, stack=stack.name, level="warning")
        await engine.ledger.commit(changes, (event,))


async def _adopt_traffic(engine: Engine, stack: StackSpec) -> None:
    """Give the stack's routes and pools the weights and servers that the balancer carries for them."""
    try:
        facts = await engine.switchboard.observe()
    except Temporary:
        return  # no balancer runs: there is no traffic to take over
    known = [record.spec for record in engine.ledger.stacks.values()]

    def adopted(routing: Routing) -> Routing:
        composed = compose([*known, stack], routing)
        carried = engine.switchboard.adopt(composed, facts)
        mine = f"{stack.name}."
        return replace(
            composed,
            routes={k: (carried if k.startswith(mine) else composed).routes[k] for k in composed.routes},
            pools={k: (carried if k.startswith(mine) else composed).pools[k] for k in composed.pools},
        )

    if stack.balancers:
        await engine.switchboard.change(adopted)


async def _adopt_service(engine: Engine, stack: StackSpec, spec: ServiceSpec) -> list[Change]:
    found = [i for i in engine.inventory.instances((stack.name, spec.name)) if i.color is not None]
    newest = {color: _newest(i for i in found if i.color is color) for color in Color}
    running = {color: instance for color, instance in newest.items() if instance is not None}
    if not running:
        return []
    recorded = {r.number for r in await engine.ledger.releases(stack.name, spec.name)}
    live = _live_color(engine, stack, spec.name) or max(running, key=lambda c: running[c].release)
    order = sorted(running, key=lambda color: (color is live, running[color].release))
    record = ServiceRecord(
        stack=stack.name,
        name=spec.name,
        replicas=max(sum(i.color is color for i in found) for color in running),
        releases={color: instance.release for color, instance in running.items()},
        promoted=tuple(running[color].release for color in order),
        generation=1,
    )
    added = [_release(spec, i, engine.clock.now()) for i in running.values() if i.release not in recorded]
    return [*(AddRelease(release) for release in added), SaveService(record)]


def _newest(instances: Iterable[Instance]) -> Instance | None:
    return max(instances, key=lambda i: (i.release, i.running), default=None)


def _live_color(engine: Engine, stack: StackSpec, service: str) -> Color | None:
    for key in engine.switchboard.routing.routes:
        pool = live_pool(engine.switchboard.routing, key)
        if pool is not None and pool.startswith(f"{stack.name}.") and service_of(pool) == service:
            return color_of(pool)
    return None


def _release(spec: ServiceSpec, instance: Instance, now: float) -> Release:
    unlike = replace(spec, image=instance.image or spec.image, labels={**spec.labels, UNKNOWN: "true"})
    return Release(
        stack=instance.stack,
        service=instance.service,
        number=instance.release,
        spec=unlike,
        image=instance.image,
        config_hash=instance.config_hash,
        created_at=now,
        ports=() if instance.port is None else (instance.port,),
    )
