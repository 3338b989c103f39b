"""The bodies people send, and how domain values become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bluegreen.domain.access import Role
from bluegreen.domain.concealment import concealed
from bluegreen.domain.rollout import Rollout, told
from bluegreen.domain.stack import StackSpec

Name = Annotated[str, Field(max_length=255)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Deploy(Body):
    """A new release: another image, other environment values, or the same once more."""

    image: Name | None = Field(None, examples=["tactivos/devops-challenge:0.0.2"])
    environment: dict[str, str] = Field(default_factory=dict, examples=[{"LOG_LEVEL": "debug"}])


class Rollback(Body):
    to: int | None = Field(
        None, ge=1, le=2**31, description="a release number; the previous one if absent", examples=[7]
    )


class Promote(Body):
    skip: Literal["shares", "bake"] | None = Field(
        None, description="what is meant; refused when the rollout is elsewhere", examples=["bake"]
    )


class Scale(Body):
    replicas: int = Field(ge=0, le=1000, examples=[3])


class Force(Body):
    force: bool = Field(False, description="do it even to what is live")


class Drain(Force):
    why: str = Field("", max_length=500)
    seconds: float | None = Field(None, gt=0, description="how long; until `ready` if absent", examples=[600])


class ForceUp(Body):
    why: str = Field(min_length=1, max_length=500, examples=["its check asks a database that is down"])
    seconds: float | None = Field(None, gt=0, description="how long; until `ready` if absent", examples=[600])


class Restart(Force):
    why: str = Field("", max_length=500)


class MaintenanceBody(Body):
    why: str = Field("", max_length=500, examples=["new disks"])
    page: str = Field("", max_length=262_144, description="HTML; a plain page if absent")
    retry_after: int = Field(60, ge=1, le=86_400, description="seconds, for `Retry-After`")


class LockBody(Body):
    why: str = Field(max_length=500, examples=["the sale runs until Monday"])
    seconds: float | None = Field(
        None,
        gt=0,
        le=366 * 86_400,
        description="how long; until it is unlocked if absent",
        examples=[172_800],
    )


class Environment(Body):
    put: dict[str, str] = Field(default_factory=dict, examples=[{"LOG_LEVEL": "debug"}])
    drop: list[str] = Field(default_factory=list, examples=[["OLD_FLAG"]])
    replace_all: bool = False


class Definition(Body):
    """What a service is to be from its next release on."""

    image: Name = Field(examples=["shop/web:2.1"])


class LinkBody(Body):
    service: Name = Field(examples=["webx-blue"])
    alias: Name = Field(examples=["webx-blue"])


class Links(Body):
    links: list[LinkBody] = Field(min_length=1)


class Switch(Body):
    target: Name = Field(examples=["webx-blue"])


class Execute(Body):
    command: list[str] = Field(min_length=1, examples=[["env"]])


StackLimit = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=255)]


class NewToken(Body):
    """Who may come in, as whom. The text of a token is in the answer, and shown this once."""

    name: str = Field(min_length=1, max_length=100, examples=["ci"])
    role: Role = Field(examples=["deployer"])
    stacks: list[StackLimit] = Field(
        default_factory=list, description="only these; all if empty", examples=[["shop"]]
    )
    days: float | None = Field(90.0, gt=0, le=3650, description="how long it is valid; for ever if null")


class NewHook(Body):
    """Which service may be released by whoever has the hook's secret. That is in the answer, this once."""

    name: StackLimit = Field(max_length=100, examples=["github"])
    service: Name = Field(examples=["web.shop"])
    images: list[Name] = Field(
        default_factory=list,
        max_length=20,
        description="images it may release, `*` for any text; those of the service's repository if empty",
        examples=[["shop/web:*"]],
    )
    variables: list[Name] = Field(
        default_factory=list,
        max_length=100,
        description="variables of the environment that it may set",
        examples=[["GIT_SHA"]],
    )


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def dump(value: Any) -> Any:
    """Return a domain value as what JSON can hold: a rollout as anybody may be told of it, secrets masked."""
    if isinstance(value, list | tuple):
        return [dump(item) for item in value]
    if isinstance(value, Rollout):
        value = told(value)
    return adapter(type(value)).dump_python(concealed(value), mode="json")


def parse_stack(document: Mapping[str, Any]) -> StackSpec:
    """Return the stack a client sent. Raises ``pydantic.ValidationError``."""
    stack: StackSpec = adapter(StackSpec).validate_python(document)
    return stack
