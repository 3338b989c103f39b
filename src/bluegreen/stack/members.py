"""The services of a file after validation, and which of them are balancers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.domain.naming import color_sibling
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.tree import Report

_ALWAYS = ("dockercloud/haproxy", "tutum/haproxy")


@dataclass(frozen=True, slots=True)
class Member:
    """One service: its keys, its environment, and where to report what is wrong with it.

    ``driver`` is ``haproxy`` or ``nginx`` when the image is a balancer that bluegreen stands in for.
    """

    name: str
    service: CommonService
    environment: Mapping[str, str]
    report: Report
    driver: str | None

    @property
    def linked(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(link.service for link in self.service.links))


def balancer_driver(service: CommonService) -> str | None:
    """Return the driver that stands in for ``service``, or ``None`` if it is an ordinary one.

    Docker Cloud's own balancer and the official ``haproxy`` always are balancers, whatever host
    their name begins with. Other images called ``haproxy`` or ``nginx`` are when they have links or
    ``x-bluegreen.balancer``: a plain ``nginx`` is just a web server.
    """
    repository = image_repository(service.image or "")
    kind = repository.rsplit("/", 1)[-1]
    asked = service.own.balancer.driver if service.own.balancer else None
    if kind not in ("haproxy", "nginx"):
        return None
    official = repository in ("haproxy", "library/haproxy") or repository.endswith(_ALWAYS)
    if official or service.links or service.own.balancer:
        return asked or kind
    return None


def image_repository(image: str) -> str:
    """Return ``dockercloud/haproxy`` for ``host:5000/dockercloud/haproxy:1.6@sha256:…``."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first, slash, rest = name.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return rest if is_host else name


def siblings(one: str, other: str) -> bool:
    """Tell whether two services are the two colors of one (``webx-green``, ``webx-blue``)."""
    return color_sibling(one) == other
