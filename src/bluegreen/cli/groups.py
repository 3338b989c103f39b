"""The groups of commands. Apart from the verbs, so that their help stays cheap."""

from __future__ import annotations

from bluegreen.cli.catalog import BOX, CONTAINER, ENV, EXPORT, HOOK, SERVICE, STACK, TOKEN
from bluegreen.cli.lazy import group

service = group("service", SERVICE, "Docker Cloud's verbs for services and balancers.")
env = group("env", ENV, "Show and change the environment of services.")
stack = group("stack", STACK, "Docker Cloud's verbs for stacks.")
container = group("container", CONTAINER, "Docker Cloud's verbs for containers (instances).")
export = group("export", EXPORT, "Print configurations for other programs.")
box = group("box", BOX, "See and forget the balancers on other boxes.")
token = group("token", TOKEN, "Say who may come in by the network, and as whom.")
hook = group("hook", HOOK, "Say what may be released by a signed message, without a token.")
