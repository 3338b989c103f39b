"""The Compose dialect: ``services:`` and its companions at the top level.

Source of the keys: the Compose specification. What Compose has and bluegreen does not carry out is
declared here with the reason.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from bluegreen.domain.spec import RestartPolicy
from bluegreen.stack.fields import (
    Assignments,
    Bool,
    Count,
    Cpus,
    Duration,
    Int,
    Label,
    NameMap,
    Size,
    Text,
    TextList,
    Word,
)
from bluegreen.stack.models.compose_parts import (
    DeployKeys,
    EnvFiles,
    ExtendsKeys,
    ExtraHosts,
    FileReference,
    HealthcheckKeys,
    HookKeys,
    LoggingKeys,
    Restart,
    Ulimits,
    short_form,
)
from bluegreen.stack.models.service_keys import CommonService
from bluegreen.stack.models.support import Keys, key, refused, unneeded, warned


class ComposeService(CommonService):
    """Keys of one service of a Compose file."""

    restart: Restart = key("When an instance that ended is started again.", (RestartPolicy.NO, None))
    scale: Count | None = key("Number of instances.")
    deploy: DeployKeys | None = key("Replicas, limits and restart policy.")
    depends_on: NameMap = key("Services to start first. They are proved healthy before this one starts.", {})
    env_file: EnvFiles = key("Files with environment variables; `environment` wins over them.", ())
    healthcheck: HealthcheckKeys | None = key(
        "Docker's own check inside the container; see `x-bluegreen.check` for what the balancer asks."
    )
    extends: (
        Annotated[ExtendsKeys, short_form("service"), Label("name, or map with service and file")] | None
    ) = key("Starts from another service's definition.")
    profiles: TextList = key("The service is left out unless `COMPOSE_PROFILES` names one of them.", ())
    configs: tuple[FileReference, ...] = key("Config files, mounted read-only.", ())
    secrets: tuple[FileReference, ...] = key("Secret files, mounted read-only under `/run/secrets`.", ())
    cpus: Cpus | None = key("Number of CPUs.")
    mem_reservation: Size | None = key("Memory kept for the service.")
    pids_limit: Int | None = key("Number of tasks.")
    ulimits: Ulimits = key("Limits of the kernel per process.", {})
    sysctls: Assignments = key("Kernel settings of the container.", {})
    logging: LoggingKeys | None = key("Log driver and its options.")
    stop_grace_period: Duration | None = key("Time to stop before the kill (10 s).")
    stop_signal: Word | None = key("Signal that asks the service to stop (`TERM`).")
    pre_stop: tuple[HookKeys, ...] = key("Command run inside an instance before its stop signal.", ())
    init: Bool = key("Runs a small init as process 1.", False)
    shm_size: Size | None = key("Size of `/dev/shm`.")
    tmpfs: TextList = key("Folders held in memory.", ())
    platform: Word | None = key("Platform of the image, `os/arch`.")
    network_mode: Text | None = key("`host`, `none` or `bridge`.")
    pid: Text | None = key("`host` shares the process table of the host.")
    extra_hosts: ExtraHosts = key("More names for `/etc/hosts`.", ())

    build: Any = refused("`build` is not supported: build the image first and name it under `image`.")
    container_name: Any = refused(
        "`container_name` is not supported: names must alternate so that two colors can run side by side."
    )
    external_links: Any = refused(
        "`external_links` is not supported: reach other stacks through their ports."
    )
    group_add: Any = refused("`group_add` is not supported: set the group with `user: name:group`.")
    userns_mode: Any = refused("`userns_mode` is not supported: set it for the whole engine.")
    ipc: Any = refused("`ipc` is not supported: instances of two colors must not share memory.")
    uts: Any = refused("`uts` is not supported.")
    runtime: Any = refused("`runtime` is not supported: set the engine's default runtime.")
    gpus: Any = refused("`gpus` is not supported: pass the device under `devices`.")
    device_cgroup_rules: Any = refused("`device_cgroup_rules` is not supported: use `devices`.")
    credential_spec: Any = refused("`credential_spec` is not supported: it belongs to Windows containers.")
    provider: Any = refused("`provider` is not supported: a service must have an image.")
    models: Any = refused("`models` is not supported: a service must have an image.")
    use_api_socket: Any = refused(
        "`use_api_socket` is not supported: no service gets rights over the engine."
    )
    label_file: Any = refused("`label_file` is not supported: write the labels under `labels`.")
    storage_opt: Any = refused("`storage_opt` is not supported: set it for the whole engine.")
    post_start: Any = refused("`post_start` is not supported: run the hook from the image's entrypoint.")
    isolation: Any = refused("`isolation` is not supported: it belongs to Windows containers.")
    networks: NameMap = unneeded(
        "`networks` is not needed: each stack has one network in which services find each other by name."
    )
    annotations: Any = warned("`annotations` is ignored: use `labels`.")
    attach: Any = unneeded("`attach` is not needed: see `bluegreen logs`.")
    develop: Any = unneeded("`develop` is not needed for releases.")
    pull_policy: Any = warned("`pull_policy` is ignored: an image is pulled when it is missing, then pinned.")
    blkio_config: Any = warned("`blkio_config` is ignored.")
    cpu_count: Any = warned("`cpu_count` is ignored: use `cpus`.")
    cpu_percent: Any = warned("`cpu_percent` is ignored: use `cpus`.")
    cpu_period: Any = warned("`cpu_period` is ignored: use `cpus`.")
    cpu_quota: Any = warned("`cpu_quota` is ignored: use `cpus`.")
    cpu_rt_period: Any = warned("`cpu_rt_period` is ignored.")
    cpu_rt_runtime: Any = warned("`cpu_rt_runtime` is ignored.")
    mem_swappiness: Any = warned("`mem_swappiness` is ignored: use `memswap_limit`.")
    oom_kill_disable: Any = warned("`oom_kill_disable` is ignored: an instance without memory is replaced.")
    oom_score_adj: Any = warned("`oom_score_adj` is ignored.")
    dns_opt: Any = warned("`dns_opt` is ignored.")
    driver_opts: Any = warned("`driver_opts` is ignored.")
    cgroup: Any = warned("`cgroup` is ignored.")


class VolumeKeys(Keys):
    name: Word | None = key("Name on the engine; `<stack>_<volume>` when absent.")
    external: Bool = key("The volume exists already, under its own name.", False)
    driver: Any = warned("`driver` of a volume is ignored: create it first and set `external: true`.")
    driver_opts: Any = warned(
        "`driver_opts` of a volume is ignored: create it first and set `external: true`."
    )
    labels: Any = warned("`labels` of a volume is ignored.")


class FileKeys(Keys):
    """One entry of the top-level ``configs`` or ``secrets``."""

    file: Word | None = key("The file, relative to the stack file.")
    name: Any = warned("`name` is ignored.")
    external: Any = refused("`external` is not supported: name a `file`.")
    environment: Any = refused(
        "`environment` is not supported: name a `file`, or use the service's environment."
    )
    content: Any = refused("`content` is not supported: name a `file`.")
    driver: Any = refused("`driver` is not supported: name a `file`.")
    template_driver: Any = refused("`template_driver` is not supported: name a `file`.")
    labels: Any = warned("`labels` is ignored.")


def _null_map(value: object) -> object:
    """``data:`` with nothing below is how named volumes are declared."""
    return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value


class ComposeTop(Keys):
    """Keys at the top level of a Compose file."""

    name: Text | None = key("Name of the stack; the folder's name when absent.")
    version: Any = unneeded("`version` is not needed: the keys say what is meant.")
    services: dict[str, Any] = key("The services, by name.", {})
    volumes: Annotated[dict[str, VolumeKeys], BeforeValidator(_null_map)] = key("Named volumes.", {})
    configs: dict[str, FileKeys] = key("Config files.", {})
    secrets: dict[str, FileKeys] = key("Secret files.", {})
    networks: Any = unneeded("`networks` is not needed: each stack has one network of its own.")
    include: Any = refused("`include` is not supported: pass the files with several -f.")
    models: Any = refused("`models` is not supported.")
