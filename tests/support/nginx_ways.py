"""The ways in which NGINX is run: a process of this box, a container, somebody else's.

A test that takes ``nginx`` is run in each of them. The process is Debian 12's (1.22), the image holds that of
Debian 13 (1.26).
"""

from __future__ import annotations

import pytest

from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.haproxy_stage import Way
from tests.support.haproxy_ways import PREPARE as LINKS

PLAIN, IMAGE = "bluegreen-test-nginx-plain:1", "bluegreen-test-nginx:1"
PREPARE = LINKS + "echo root:x:0: > etc/group\n"
PACKAGES = "nginx-light,libnginx-mod-stream,busybox-static,base-passwd"


@pytest.fixture(scope="session")
def nginx_container(docker_engine: DockerEngine) -> Way:
    """The options that run NGINX on the session's Engine, with its image there."""
    tarball = images.root_file_system("nginx-debian-13", "trixie", PACKAGES, PREPARE)
    docker_engine.docker("import", str(tarball), PLAIN)
    # As in the usual image: an entrypoint of its own.
    images.build(docker_engine, IMAGE, f'FROM {PLAIN}\nENTRYPOINT ["/docker-entrypoint.sh"]\n')
    return {"run": "container", "image": IMAGE, "docker_url": docker_engine.url}


@pytest.fixture(params=["process", pytest.param("container", marks=pytest.mark.docker), "existing"])
def nginx(request: pytest.FixtureRequest) -> Way:
    """The driver's options; those of an existing NGINX are completed by the stage that plays it."""
    if request.param == "container":
        way: Way = request.getfixturevalue("nginx_container")
        return way
    return {} if request.param == "process" else {"run": "existing"}
