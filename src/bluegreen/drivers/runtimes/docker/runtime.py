"""The Docker runtime: instances are containers, found again by their labels.

Implements :class:`bluegreen.ports.runtime.Runtime` (and ``Console``) on the Engine API. The engine's
loops call it. The rules: every method may be repeated at any time by any controller, since names
are deterministic and what runs is read from the containers; containers without our labels are
never touched, whatever they are called.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from bluegreen.domain.errors import Permanent, Temporary, UserError
from bluegreen.domain.instance import Instance, InstanceSpec, Prepared, RuntimeEvent
from bluegreen.domain.spec import ServiceSpec
from bluegreen.drivers.runtimes.docker import limits, looks, reading, watch
from bluegreen.drivers.runtimes.docker.body import (
    COLOR,
    CONFIG_HASH,
    INDEX,
    RELEASE,
    SERVICE,
    STACK,
    create_body,
    labels,
    limit_fields,
    own_network,
    restart_policy,
    traffic_port,
    uses_stack_network,
)
from bluegreen.drivers.runtimes.docker.console import DockerConsole
from bluegreen.drivers.runtimes.docker.gateway import Gateway
from bluegreen.drivers.runtimes.docker.holders import name_holders
from bluegreen.drivers.runtimes.docker.images import Images
from bluegreen.drivers.runtimes.docker.networks import Networks
from bluegreen.drivers.runtimes.docker.options import Options
from bluegreen.drivers.runtimes.docker.sightings import Sightings

Json = Mapping[str, Any]

ATTEMPTS = 8
"""How often a start begins again when others create or remove the same things at the same moment."""

FIRST_PAUSE = 0.02
"""Seconds before the second attempt, doubled for each further one: a name is taken a moment before the
container behind it can be seen."""

INSPECTIONS = 16
"""How many containers are inspected at the same time."""

AGAIN = 50
"""How many containers a look at everything inspects although the list shows nothing new of them."""


class DockerRuntime(DockerConsole):
    """Instances as containers of one Docker Engine."""

    name = "docker"

    def __init__(self, gateway: Gateway, options: Options) -> None:
        super().__init__(gateway, options)
        self._images = Images(gateway, options)
        self._networks = Networks(gateway)
        self._sightings = Sightings()

    async def prepare(self, stack: str, spec: ServiceSpec) -> Prepared:
        """See the port. Errors: ``no_image``, ``image_missing``, ``image_name_invalid``,
        ``wrong_platform``, ``registry_unauthorized``, ``limit_impossible``, ``limit_unsupported``;
        ``registry_unreachable``, ``registry_throttled``, ``disk_full``."""
        return await self._images.prepare(spec)

    async def start(self, instance: InstanceSpec) -> None:
        """See the port. Errors: ``name_taken``, ``port_taken``, ``start_failed``, ``image_missing``,
        ``limit_not_applied``, ``network_pool_exhausted``, ``mount_refused``, ``disk_full``."""
        async with self._networks.needed(instance.stack):
            for attempt in range(ATTEMPTS):
                if await self._bring_up(instance):
                    return
                await asyncio.sleep(FIRST_PAUSE * 2**attempt)
        raise Temporary(
            f"instance {instance.name}: it is created and removed by somebody else at the same time",
            code="start_contended",
            hint="Look for a second controller or a clean-up job on this Docker host.",
        )

    async def stop(self, name: str) -> None:
        """See the port. Containers that are not ours are left alone."""
        container = await self._inspect(name)
        if container is not None:
            await self._stop(container)

    async def remove(self, name: str) -> None:
        """See the port. The stack's network goes with its last instance."""
        container = await self._inspect(name)
        if container is None:
            return
        await self._stop(container)
        await self._delete(container["Id"], name, volumes=True)
        await self._networks.discard(container["Config"]["Labels"][STACK])

    async def list(self, stack: str | None = None, service: str | None = None) -> tuple[Instance, ...]:
        """See the port. Costs one call, and one more for each container that changed since; of everything
        at most :data:`AGAIN` more, so that what no list shows (a restart) is found in the end."""
        wanted = [STACK if stack is None else f"{STACK}={stack}"]
        wanted += [SERVICE if service is None else f"{SERVICE}={service}"]
        params = {"all": True, "filters": {"label": wanted}}
        rows = (await self._gateway.call("GET", "containers/json", what="all instances", params=params)).body
        found = {row["Id"]: self._sightings.recall(row["Id"], looks.of_row(row)) for row in rows}
        again: tuple[str, ...] = ()
        if stack is None and service is None:
            self._sightings.retain(found)
            again = self._sightings.oldest(AGAIN)
        unseen = [known for known, instance in found.items() if instance is None or known in again]
        found |= await self._look(unseen)
        return tuple(instance for instance in found.values() if instance is not None)

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """See the port."""
        return watch.events(self._gateway, self._sightings)

    async def _bring_up(self, instance: InstanceSpec) -> bool:
        """Take the next step towards a running container; false if the world moved: look again."""
        container = await self._inspect(instance.name, foreign_is_absent=False)
        if container is None:
            if await self._renamed_back(instance):
                return False
            created = await self._create(instance)
            return created is not None and await self._launch(instance, created)
        _check_same(instance, container)
        state, identity = container["State"], str(container["Id"])
        if state["Paused"]:
            await self._post(identity, "unpause", instance.name)
        if state["Paused"] or state["Running"]:
            return await self._connected(instance, container)
        if state["Status"] in ("removing", "dead"):
            await self._delete(identity, instance.name, volumes=True)
            return False
        await self._restore_policy(instance, container)
        return await self._launch(instance, identity)

    async def _renamed_back(self, instance: InstanceSpec) -> bool:
        """Give the container of ``instance`` its name back; false if there is none under another name."""
        wanted = (STACK, SERVICE, RELEASE, COLOR, INDEX, CONFIG_HASH)
        marks = labels(instance, None)
        params = {"all": True, "filters": {"label": [f"{key}={marks[key]}" for key in wanted]}}
        what = f"instance {instance.name}"
        found = (await self._gateway.call("GET", "containers/json", what=what, params=params)).body
        # Copies by hand carry the labels as well: the one that runs is the one that serves.
        for row in sorted(found, key=lambda row: row["State"] != "running")[:1]:
            path, to = f"containers/{row['Id']}/rename", {"name": instance.name}
            self._sightings.doubt(row["Id"])
            # 400: somebody else has given it back meanwhile. The next look says what came of it.
            await self._gateway.call("POST", path, what=what, params=to, accept={400, 404, 409})
        return bool(found)

    async def _connected(self, instance: InstanceSpec, container: Json) -> bool:
        """Put a running container back into its network if somebody took it out."""
        network = own_network(instance)
        if network is None or network in (container["NetworkSettings"].get("Networks") or {}):
            return True
        shared = uses_stack_network(instance.spec.container)
        if shared:
            await self._networks.ensure(instance.stack)
        self._sightings.doubt(container["Id"])
        return await self._networks.connect(network, container["Id"], instance.aliases if shared else ())

    async def _create(self, instance: InstanceSpec) -> str | None:
        """Create the container and return its id, ``None`` if somebody else has done so."""
        if uses_stack_network(instance.spec.container):
            await self._networks.ensure(instance.stack)
        spec, what = instance.spec, f"instance {instance.name}"
        known = traffic_port(spec, ()) is not None
        body = create_body(instance, () if known else await self._images.ports(instance.image))
        params = {"name": instance.name}
        answer = await self._gateway.call(
            "POST", "containers/create", what=what, params=params, body=body, accept={404, 409}
        )
        if answer.status == 404:
            # Pinned and yet gone: somebody pruned it. By its digest it can be had again.
            await self._images.ensure(instance.image, spec.container.platform)
        if answer.status != 201:
            return None
        if limit_fields(spec.limits):
            await self._verify(instance, answer.body["Id"])
        return str(answer.body["Id"])

    async def _verify(self, instance: InstanceSpec, container: str) -> None:
        """Read the limits back. A container that lacks one is removed before it ever ran."""
        created = await self._inspect(container)
        if created is None:
            return
        try:
            limits.verify(instance.name, instance.spec.limits, created["HostConfig"])
        except Permanent:
            await self._delete(container, instance.name, volumes=True)
            raise

    async def _launch(self, instance: InstanceSpec, container: str) -> bool:
        self._sightings.doubt(container)
        path, what = f"containers/{container}/start", f"instance {instance.name}"
        try:
            answer = await self._gateway.call("POST", path, what=what, accept={404})
        except UserError as refusal:
            if refusal.code == "port_taken":
                raise await name_holders(self._gateway, instance, refusal) from refusal
            raise
        except Temporary as refusal:
            if refusal.code != "network_ambiguous":
                raise
            # Another controller made the network as well: begin again, which leaves one of them.
            await self._delete(container, instance.name, volumes=False)
            return False
        if answer.status == 404 and "network" in answer.body["message"]:
            # The network went with what was the last instance: begin again, with a new one.
            await self._delete(container, instance.name, volumes=False)
        return answer.status != 404

    async def _restore_policy(self, instance: InstanceSpec, container: Json) -> None:
        """Undo what :meth:`_stop` did, so that a started instance is brought back again."""
        wanted = restart_policy(instance.spec)
        if container["HostConfig"]["RestartPolicy"]["Name"] != wanted["Name"]:
            await self._update_policy(container, wanted)

    async def _stop(self, container: Json) -> None:
        name, state = container["Name"].lstrip("/"), container["State"]
        # Docker starts a stopped container again with the daemon when its policy is "always".
        if container["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no"):
            await self._update_policy(container, {"Name": "no"})
        if not (state["Running"] or state["Restarting"]):
            return
        if state["Paused"]:
            # A frozen process cannot end: it would use up its grace and be killed.
            await self._post(container["Id"], "unpause", name)
        grace = container["Config"].get("StopTimeout")
        deadline = self._gateway.deadline + (10 if grace is None else grace)
        await self._post(container["Id"], "stop", name, deadline=deadline)

    async def _update_policy(self, container: Json, policy: Mapping[str, Any]) -> None:
        path, what = f"containers/{container['Id']}/update", f"instance {container['Name'].lstrip('/')}"
        body = {"RestartPolicy": policy}
        await self._gateway.call("POST", path, what=what, body=body, accept={404})

    async def _post(self, container: str, verb: str, name: str, deadline: float | None = None) -> None:
        """Do what an instance that is absent, or already in that state, may refuse."""
        self._sightings.doubt(container)
        path, what = f"containers/{container}/{verb}", f"instance {name}"
        await self._gateway.call("POST", path, what=what, accept={304, 404, 409}, deadline=deadline)

    async def _delete(self, container: str, name: str, *, volumes: bool) -> None:
        """Remove a container and return when it is gone, whoever removes it."""
        path, what = f"containers/{container}", f"instance {name}"
        self._sightings.doubt(container)
        params = {"force": True, "v": volumes}
        answer = await self._gateway.call("DELETE", path, what=what, params=params, accept={404, 409})
        if answer.status == 409:
            wait = {"condition": "removed"}
            await self._gateway.call("POST", f"{path}/wait", what=what, params=wait, accept={404})

    async def _inspect(self, name: str, *, foreign_is_absent: bool = True) -> dict[str, Any] | None:
        """Return the container of that name or id, ``None`` if there is none (of ours)."""
        path, what = f"containers/{name}/json", f"instance {name}"
        answer = await self._gateway.call("GET", path, what=what, accept={404})
        if answer.status == 404:
            return None
        container: dict[str, Any] = answer.body
        ours = reading.is_ours(container["Config"].get("Labels") or {})
        return container if ours or not foreign_is_absent else None

    async def _look(self, containers: Collection[str]) -> dict[str, Instance | None]:
        """Inspect many containers, a few at a time. One that has gone meanwhile is ``None``."""
        found: dict[str, Instance | None] = {}
        queue = iter(containers)

        async def work() -> None:
            for container in queue:
                found[container] = await self._sight(container)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(INSPECTIONS, len(containers))):
                    group.create_task(work())
        except* (UserError, Temporary, Permanent) as failures:
            raise failures.exceptions[0] from None
        return found

    async def _sight(self, container: str) -> Instance | None:
        token = self._sightings.asking(container)
        inspected = await self._inspect(container)
        if inspected is None:
            return None
        instance = self._sightings.with_last_end(container, reading.instance(inspected))
        self._sightings.keep(container, token, looks.of_inspected(inspected), instance)
        return instance


def _check_same(instance: InstanceSpec, container: Json) -> None:
    """Raise ``name_taken`` when the container of that name is not this very instance."""
    labels = container["Config"].get("Labels") or {}
    if (labels.get(STACK), labels.get(CONFIG_HASH)) == (instance.stack, instance.config_hash):
        return
    ours = reading.is_ours(labels)
    holder = f"stack {labels[STACK]}, configuration {labels.get(CONFIG_HASH)}" if ours else "not bluegreen's"
    raise Permanent(
        f"instance {instance.name}: a container of that name exists ({holder})",
        code="name_taken",
        hint=f"Remove it (`docker rm -f {instance.name}`) if nobody needs it, or rename the stack.",
        evidence=(("container", str(container["Id"])[:12]), ("image", container["Config"].get("Image", ""))),
    )
