"""``/v1/services`` and ``/v1/balancers``: a name may be ``service`` or ``service.stack``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.api.context import Context, StackName, Use
from bluegreen.api.models import Definition, Deploy, Environment, Force, Links, Rollback, Scale, dump
from bluegreen.api.routes.noun import router_of
from bluegreen.domain.release import Release
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.secrecy import masked
from bluegreen.domain.spec import Link, ServiceSpec
from bluegreen.engine.commands import lookup, releases, services, traffic
from bluegreen.engine.links import link_environment
from bluegreen.ports.journal import Query

router = router_of("services")


@router.get("/services")
async def listing(use: Use, stack: StackName = None) -> Any:
    """Return every service with its colors and what is live."""
    return dump((await use.viewer.status(stack)).services)


@router.get("/services/{name}")
async def inspect(use: Use, name: str, stack: StackName = None) -> Any:
    """Return one service (or balancer): definition, wishes, releases, latest rollouts."""
    if lookup.is_balancer(use.engine, name, stack):
        spec, route = lookup.routes(use.engine, name, stack)[0]
        return {"balancer": dump(spec.balancer(route.balancer)), "stack": spec.name}
    key = lookup.service(use.engine, name, stack)
    view = await use.viewer.status(key[0])
    history = await use.engine.drivers.journal.rollouts(Query(stack=key[0], service=key[1], limit=10))
    spec_ = use.engine.ledger.spec(key[0]).service(key[1])
    return {
        "service": dump(next(s for s in view.services if s.name == key[1])),
        "definition": dump(spec_) if spec_ is not None else None,
        "instances": [dump(i) for i in view.instances if i.service == key[1]],
        "releases": dump([_hidden(r, spec_) for r in await use.engine.ledger.releases(*key)]),
        "rollouts": dump(history),
    }


@router.get("/services/{name}/link-variables")
async def link_variables(use: Use, name: str, stack: StackName = None) -> dict[str, str]:
    """Return Docker Cloud's variables for what it is linked to: where that is now."""
    return link_environment(use.engine, name, stack)


@router.post("/services/{name}/deploy", status_code=202)
async def deploy(use: Use, name: str, body: Deploy, stack: StackName = None) -> Any:
    """Begin a new release; follow it at ``/v1/rollouts/{id}/stream``."""
    return begun(
        await releases.deploy(use.engine, name, stack=stack, image=body.image, environment=body.environment)
    )


@router.post("/services/{name}/rollback", status_code=202)
async def rollback(use: Use, name: str, body: Rollback, stack: StackName = None) -> Any:
    """Go back: a service to its former release, a route or balancer to its former color."""
    if _is_service(use, name, stack):
        return begun(await releases.rollback(use.engine, name, stack=stack, to=body.to))
    return begun(await traffic.rollback(use.engine, name, stack=stack))


@router.post("/services/{name}/redeploy", status_code=202)
async def redeploy(use: Use, name: str, stack: StackName = None) -> Any:
    """Converge to the definition: a balancer moves its traffic, a service gets a new release."""
    if _is_service(use, name, stack):
        return begun(await releases.deploy(use.engine, name, stack=stack))
    return begun(await traffic.redeploy(use.engine, name, stack=stack))


@router.post("/services/{name}/scale")
async def scale(use: Use, name: str, body: Scale, stack: StackName = None) -> Any:
    """Have this many instances."""
    return dump(await services.scale(use.engine, name, body.replicas, stack=stack))


@router.post("/services/{name}/stop")
async def stop(use: Use, name: str, body: Force, stack: StackName = None) -> Any:
    """Stop every instance and keep it."""
    return dump(await services.stop(use.engine, name, stack=stack, force=body.force))


@router.post("/services/{name}/start", status_code=202)
async def start(use: Use, name: str, stack: StackName = None) -> Any:
    """Start a stopped or terminated service."""
    return begun(await services.start(use.engine, name, stack=stack))


@router.post("/services/{name}/terminate")
async def terminate(use: Use, name: str, body: Force, stack: StackName = None) -> Any:
    """Remove every instance; the definition stays."""
    return dump(await services.terminate(use.engine, name, stack=stack, force=body.force))


@router.get("/services/{name}/environment")
async def environment(use: Use, name: str, stack: StackName = None) -> Any:
    """Return the wanted environment; what is secret is masked."""
    key = lookup.service(use.engine, name, stack)
    spec = use.engine.ledger.spec(key[0]).service(key[1])
    return masked(spec.environment, spec.secrets) if spec is not None else {}


@router.patch("/services/{name}/environment")
async def set_environment(use: Use, name: str, body: Environment, stack: StackName = None) -> Any:
    """Change the wanted environment; the service must be redeployed to get it.

    The mask of a secret leaves its value as it is.
    """
    spec = await services.set_environment(
        use.engine,
        name,
        stack=stack,
        put=body.put,
        drop=body.drop,
        replace_all=body.replace_all,
    )
    return masked(spec.environment, spec.secrets)


@router.patch("/services/{name}")
async def define(use: Use, name: str, body: Definition, stack: StackName = None) -> Any:
    """Change the definition; the service must be redeployed to get it."""
    return dump(await services.set_image(use.engine, name, body.image, stack=stack))


@router.put("/balancers/{name}/links")
async def set_links(use: Use, name: str, body: Links, stack: StackName = None) -> Any:
    """Replace a balancer's links: its definition only, until it is redeployed."""
    links = [Link(service=link.service, alias=link.alias) for link in body.links]
    spec = await traffic.set_links(use.engine, name, links, stack=stack)
    return {"stack": spec.name, "links": [dump(link) for link in links], "synchronized": False}


def _hidden(release: Release, now: ServiceSpec | None) -> Release:
    """Return ``release`` with what is marked as secret by now, which may not have been when it was made."""
    marked = release.spec.secrets | (now.secrets if now is not None else frozenset())
    return replace(release, spec=replace(release.spec, secrets=marked))


def begun(rollout: Rollout | None) -> Any:
    """Return the answer to a command: the rollout that follows, or that nothing is to be done."""
    return {"rollout": dump(rollout) if rollout is not None else None}


def _is_service(use: Context, name: str, stack: str | None) -> bool:
    plain = name.partition(".")[0].rpartition("/")[2]
    return any(key[1] == plain and stack in (None, key[0]) for key in use.engine.ledger.services)
