"""The Docker Cloud dialect: a map of services at the top level.

Source of the keys, types and defaults: the stack file reference of Docker Cloud (retired 2018).
"""

from __future__ import annotations

from typing import Any, Literal

from bluegreen.stack.fields import Bool, Count, TextList
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.models.support import key, refused, unneeded, warned


class DockerCloudService(CommonService):
    """Keys of one service of a Docker Cloud stack file."""

    target_num_containers: Count | None = key("Number of instances.")
    deployment_strategy: Literal["emptiest_node", "high_availability", "every_node"] = key(
        "Where instances go. On one host all three mean the same; `every_node` means one instance.",
        "emptiest_node",
    )
    restart: Literal["no", "on-failure", "always"] = key(
        "When an instance that ended is started again.", "no"
    )
    net: Literal["bridge", "host"] = key("`host` shares the network of the host.", "bridge")
    pid: Literal["none", "host"] = key("`host` shares the process table of the host.", "none")
    extra_hosts: TextList = key("More names for `/etc/hosts`, `name:address`.", ())
    sequential_deployment: Bool | None = unneeded(
        "`sequential_deployment` is not needed: a new color is started and proved before it takes traffic."
    )
    roles: Any = unneeded(
        "`roles: [global]` is not needed: the balancer is told what to do and gets no API rights."
    )
    autodestroy: Literal["no", "on-success", "always"] | None = warned(
        "`autodestroy` is ignored: instances that ended keep their logs until their release is retired."
    )
    autoredeploy: Bool | None = warned(
        "`autoredeploy` is ignored: an image that changed is released by `bluegreen deploy`, on purpose."
    )
    tags: Any = warned("`tags` is ignored: there is one host, so every service runs on it.")
    env_file: Any = refused("`env_file` does not exist in the Docker Cloud dialect: use `environment`.")
    build: Any = refused("`build` is not supported: build the image first and name it under `image`.")
    external_links: Any = refused(
        "`external_links` is not supported: reach services of other stacks through their published ports."
    )
