"""The Docker runtime when the Engine itself dies, hangs, is not there, or may not be used."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary
from bluegreen.domain.instance import InstanceState, RuntimeEventKind
from bluegreen.domain.spec import RestartPolicy
from bluegreen.drivers.runtimes.docker import DockerRuntime, Options, diagnose, open_runtime
from bluegreen.testing.runtime_contract import watching
from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.docker_instances import PATIENCE, Stage
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.docker

RESYNC = RuntimeEventKind.RESYNC


@pytest.fixture(scope="module")
def mortal() -> Iterator[DockerEngine]:
    """An engine to be killed: containers die with it, and it also listens on TCP."""
    with DockerEngine.running(tcp_port=free_port()) as engine:
        images.load(engine, tags=("0.0.1",))
        yield engine


@pytest.fixture
def stage(mortal: DockerEngine) -> Stage:
    return Stage(mortal.url, deadline=2.0)


def test_a_killed_engine_is_an_error_and_after_its_return_a_resync(
    mortal: DockerEngine, stage: Stage
) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance(restart=RestartPolicy.ALWAYS)
        await runtime.start(wanted)
        before = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
        async with watching(runtime) as events:
            mortal.kill()
            try:
                with pytest.raises(Temporary) as away:
                    await runtime.list()
                assert away.value.code in ("docker_unreachable", "docker_lost")
                assert str(mortal.socket_path) in away.value.message
                with pytest.raises(BluegreenError):
                    await runtime.start(wanted)
            finally:
                await asyncio.to_thread(mortal.start)
            await until(lambda: [e.kind for e in events].count(RESYNC) >= 2, PATIENCE)
            after = await stage.becomes(runtime, wanted.name, lambda i: i.reachable)
            assert after.incarnation != before.incarnation
            mortal.docker("kill", wanted.name)
            await until(lambda: [e for e in events if e.kind is RuntimeEventKind.DIED], PATIENCE)

    stage.run(scenario)


def test_a_stopped_instance_stays_stopped_when_the_engine_comes_back(
    mortal: DockerEngine, stage: Stage
) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted, other = (stage.instance(n, restart=RestartPolicy.ALWAYS) for n in (1, 2))
        await runtime.start(wanted)
        await runtime.start(other)
        await runtime.stop(wanted.name)
        mortal.kill()
        await asyncio.to_thread(mortal.start)
        await stage.becomes(runtime, other.name, lambda i: i.running)
        stopped = await stage.seen(runtime, wanted.name)
        assert stopped is not None
        assert stopped.state is InstanceState.EXITED
        await runtime.start(wanted)
        mortal.docker("exec", wanted.name, "kill", "-9", "1", check=False)
        mortal.kill()
        await asyncio.to_thread(mortal.start)
        await stage.becomes(runtime, wanted.name, lambda i: i.running)

    stage.run(scenario)


def test_an_engine_that_hangs_is_temporary_under_the_deadline(mortal: DockerEngine, stage: Stage) -> None:
    async def scenario(runtime: DockerRuntime) -> None:
        wanted = stage.instance()
        await runtime.start(wanted)
        async with watching(runtime) as events:
            mortal.suspend()
            try:
                with pytest.raises(Temporary) as hung:
                    await runtime.list(stage.stack)
                assert hung.value.code == "docker_timeout"
                with pytest.raises(Temporary) as hung:
                    await runtime.remove(wanted.name)
                assert hung.value.code == "docker_timeout"
            finally:
                mortal.resume()
            assert await stage.seen(runtime, wanted.name)
            mortal.docker("kill", wanted.name)
            await until(lambda: [e for e in events if e.kind is RuntimeEventKind.DIED], PATIENCE)

    stage.run(scenario)


def test_with_live_restore_instances_outlive_the_engine() -> None:
    with DockerEngine.running(live_restore=True) as engine:
        images.load(engine, tags=("0.0.1",))
        stage = Stage(engine.url)

        async def scenario(runtime: DockerRuntime) -> None:
            await runtime.start(stage.instance())
            before = await stage.becomes(runtime, stage.instance().name, lambda i: i.reachable)
            engine.kill()
            await asyncio.to_thread(engine.start)
            assert await stage.seen(runtime, before.name) == before

        stage.run(scenario)


def test_an_engine_without_address_ranges_says_so() -> None:
    with DockerEngine.running(network_prefix=16) as engine:
        images.load(engine, tags=("0.0.1",))
        stage = Stage(engine.url)

        async def scenario(runtime: DockerRuntime) -> None:
            with pytest.raises(Permanent) as refused:
                await runtime.start(stage.instance())
            assert refused.value.code == "network_pool_exhausted"

        stage.run(scenario)


def test_no_engine_at_all_names_the_socket_and_what_to_do() -> None:
    async def main() -> None:
        async with open_runtime(Options(url="unix:///nowhere/docker.sock")) as runtime:
            with pytest.raises(Temporary) as absent:
                await runtime.list()
        assert absent.value.code == "docker_unreachable"
        assert "/nowhere/docker.sock" in absent.value.message
        assert absent.value.hint
        (finding,) = await diagnose(Options(url="unix:///nowhere/docker.sock"))
        assert finding[:2] == ("docker engine", False)

    asyncio.run(main())


def test_a_socket_that_is_not_for_us_names_the_group(docker_engine: DockerEngine) -> None:
    async def main() -> None:
        async with open_runtime(Options(url=docker_engine.url)) as runtime:
            with as_nobody(), pytest.raises(Permanent) as refused:
                await runtime.list()
        assert refused.value.code == "docker_forbidden"
        assert str(docker_engine.socket_path) in refused.value.message
        assert "group docker" in refused.value.hint

    asyncio.run(main())


@pytest.mark.parametrize("address", ["docker.sock", "ftp://host"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    async def main() -> None:
        async with open_runtime(Options(url=address)) as runtime:
            await runtime.list()

    with pytest.raises(BluegreenError) as refused:
        asyncio.run(main())
    assert refused.value.code == "docker_address_invalid"


def test_what_is_no_docker_engine_is_told_apart() -> None:
    async def main() -> None:
        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            body = b"<html>hello</html>"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, open_runtime(Options(url=f"tcp://127.0.0.1:{port}")) as runtime:
            with pytest.raises(Temporary) as strange:
                await runtime.list()
        assert strange.value.code == "docker_garbled"

    asyncio.run(main())


def test_docker_host_is_honoured(mortal: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", mortal.tcp_url)

    async def main() -> None:
        async with open_runtime(Options()) as runtime, watching(runtime):
            assert await runtime.list() == ()
        findings = await diagnose(Options())
        assert all(well for _check, well, _detail in findings)
        assert mortal.tcp_url in findings[0][2]

    asyncio.run(main())


def test_an_engine_with_tls_wants_the_right_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for authority in ("theirs", "others"):
        certificates(tmp_path / authority)

    async def code(**environment: object) -> str:
        for key in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
            monkeypatch.delenv(key, raising=False)
        for key, value in environment.items():
            monkeypatch.setenv(key, str(value))
        try:
            async with open_runtime(Options(url=engine.tcp_url)) as runtime:
                await runtime.list()
        except BluegreenError as refused:
            return refused.code
        return "ok"

    async def main() -> None:
        verify = {"DOCKER_TLS_VERIFY": 1}
        assert await code() == "docker_tls_failed"
        assert await code(**verify) == "docker_address_invalid"
        assert await code(**verify, DOCKER_CERT_PATH=tmp_path / "absent") == "docker_address_invalid"
        assert await code(**verify, DOCKER_CERT_PATH=tmp_path / "others") == "docker_tls_failed"
        assert await code(**verify, DOCKER_CERT_PATH=tmp_path / "theirs") == "ok"

    with DockerEngine.running(tcp_port=free_port(), tls=tmp_path / "theirs") as engine:
        asyncio.run(main())


def certificates(folder: Path) -> None:
    """Make an authority, and a server's and a client's certificate, as Docker names them."""
    folder.mkdir()
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes")
    make(folder, *new, "-x509", "-subj", "/CN=ca", "-keyout", "ca-key.pem", "-out", "ca.pem")
    (folder / "extensions").write_text(
        "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    for prefix in ("server-", ""):
        name = "server.pem" if prefix else "cert.pem"
        make(folder, *new, "-subj", "/CN=test", "-keyout", f"{prefix}key.pem", "-out", "request")
        sign = ("openssl", "x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca-key.pem")
        make(folder, *sign, "-CAcreateserial", "-extfile", "extensions", "-out", name)


def make(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="urll"):
        Options.model_validate({"urll": "unix:///x"})


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody without rights for as long as the block runs."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
