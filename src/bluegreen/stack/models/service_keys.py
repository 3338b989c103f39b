"""The service keys that mean the same in both dialects."""

from __future__ import annotations

from typing import Any

from bluegreen.stack.fields import (
    Assignments,
    Bool,
    Command,
    Count,
    Cpuset,
    Expose,
    Link,
    Memswap,
    Ports,
    Size,
    Text,
    TextList,
    Volume,
    Word,
)
from bluegreen.stack.models.own import OwnKeys
from bluegreen.stack.models.support import Keys, key, refused, warned


class CommonService(Keys):
    """Keys of one service, Docker Cloud and Compose alike."""

    image: Word | None = key(
        "Image to run, `repository[:tag]` or `repository@digest`; no tag means `latest`."
    )
    command: Command | None = key("Overrides the image's command.")
    entrypoint: Command | None = key("Overrides the image's entrypoint.")
    environment: Assignments = key(
        "Environment. A bare `NAME` is filled from the environment of whoever loads the file.", {}
    )
    labels: Assignments = key("Labels of each container.", {})
    expose: tuple[Expose, ...] = key("Ports that other services reach; the first carries routed traffic.", ())
    ports: tuple[Ports, ...] = key("Ports published on the host. On a balancer: the ports it listens on.", ())
    links: tuple[Link, ...] = key("Services this one reaches by name. On a balancer: who is live.", ())
    volumes: tuple[Volume, ...] = key("Volumes; a relative source is relative to the stack file.", ())
    volumes_from: Any = refused(
        "`volumes_from` is not supported: give both services the same named volume under `volumes`."
    )
    privileged: Bool = key("Gives extended privileges to the container.", False)
    read_only: Bool = key("Mounts the container's root file system read-only.", False)
    stdin_open: Bool = key("Keeps standard input open.", False)
    tty: Bool = key("Allocates a terminal.", False)
    cap_add: TextList = key("Capabilities to add.", ())
    cap_drop: TextList = key("Capabilities to drop.", ())
    devices: TextList = key("Devices, `host:container[:rwm]`.", ())
    dns: TextList = key("Name servers.", ())
    dns_search: TextList = key("Search domains.", ())
    security_opt: TextList = key("Security options.", ())
    cpu_shares: Count | None = key("Relative CPU weight; 1024 is the norm.")
    cpuset: Cpuset | None = key("CPUs the service may use.")
    mem_limit: Size | None = key("Memory limit.")
    memswap_limit: Memswap | None = key("Limit of memory plus swap; not below `mem_limit`.")
    working_dir: Word | None = key("Folder in which the command runs.")
    user: Text | None = key("User to run as.")
    hostname: Word | None = key("Host name inside the container.")
    domainname: Any = warned("`domainname` is ignored: instances are reached by their service's name.")
    mac_address: Any = warned("`mac_address` is ignored: two colors would share the address.")
    cgroup_parent: Any = warned("`cgroup_parent` is ignored: limits are set on each instance.")
    x_bluegreen: OwnKeys | None = key("What bluegreen adds, see below.", alias="x-bluegreen")

    @property
    def own(self) -> OwnKeys:
        return self.x_bluegreen or OwnKeys()
