"""What a process is given: argv with its placeholders, an environment that leaks nothing, links."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bluegreen.domain.naming import Color
from bluegreen.domain.spec import Link, ProcessSpec, RestartPolicy, ServiceSpec
from bluegreen.drivers.runtimes.process import ProcessRuntime
from bluegreen.drivers.runtimes.process.backoff import Backoff, comes_back
from bluegreen.drivers.runtimes.process.command import command_line, image_tag, signal_number
from bluegreen.ports.runtime import Runtime
from tests.support.process_harness import ProcessHarness


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("tactivos/devops-challenge:0.0.1", "0.0.1"),
        ("registry.example:5000/team/app:2@sha256:abc", "2"),
        ("registry.example:5000/team/app", "latest"),
        ("mongo", "latest"),
        ("", ""),
    ],
)
def test_the_tag_of_an_image(image: str, tag: str) -> None:
    assert image_tag(image) == tag


@pytest.mark.parametrize("text", ["TERM", "SIGTERM", "sigterm", "15"])
def test_a_signal_may_be_written_in_any_way(text: str) -> None:
    assert signal_number(text, "web") == signal.SIGTERM


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "back"),
    [
        (RestartPolicy.NO, 1, 0, False),
        (RestartPolicy.ALWAYS, 0, 99, True),
        (RestartPolicy.UNLESS_STOPPED, 1, 0, True),
        (RestartPolicy.ON_FAILURE, 0, 0, False),
        (RestartPolicy.ON_FAILURE, 1, 2, True),
        (RestartPolicy.ON_FAILURE, 1, 3, False),
        (RestartPolicy.ON_FAILURE, None, 0, True),
    ],
)
def test_who_comes_back(policy: RestartPolicy, code: int | None, restarts: int, back: bool) -> None:
    assert comes_back(ServiceSpec(name="web", restart=policy, restart_attempts=3), code, restarts) is back


def test_waits_double_up_to_a_bound_and_begin_anew_after_a_good_run() -> None:
    backoff = Backoff()
    waits = [backoff.after(uptime=0.0) for _ in range(11)]
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 30.0
    assert backoff.after(uptime=9.9) == 30.0
    assert backoff.after(uptime=10.0) == 0.1
    assert backoff.after(uptime=0.0) == 0.2


class TestWhatAProcessSees(ProcessHarness):
    def test_placeholders_are_filled_and_other_braces_stay(self) -> None:
        words = ("{python}", "p={port}", "{release}-{instance}", "{image} {tag}", '{"json": {}} {other}')
        instance = self.instance(self.running(*words, image="team/app:0.0.2"), release=4)
        assert command_line(instance, 3001) == (
            sys.executable,
            "p=3001",
            f"4-{instance.name}",
            "team/app:0.0.2 0.0.2",
            '{"json": {}} {other}',
        )

    def test_nothing_of_the_controllers_environment_leaks(self) -> None:
        os.environ["BLUEGREEN_TEST_SECRET"] = "leaked"
        try:
            seen = self.environment_of(self.running("env", environment={"A": "b=c", "HOME": "/stack"}))
        finally:
            del os.environ["BLUEGREEN_TEST_SECRET"]
        # PWD is set by the shell that waits at the gate.
        own = {"PORT", "PATH", "HOME", "LANG", "A", "PWD", "OLDPWD", "SHLVL", "_"}
        own |= {f"BLUEGREEN_{name}" for name in ("STACK", "SERVICE", "INSTANCE", "RELEASE", "COLOR")}
        assert set(seen) <= own
        assert (seen["A"], seen["HOME"]) == ("b=c", "/stack")
        assert (seen["BLUEGREEN_COLOR"], seen["BLUEGREEN_RELEASE"]) == ("blue", "1")
        assert int(seen["PORT"]) > 1024

    def test_links_are_variables_in_dockers_style(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            db = await self.started(runtime, self.instance(self.spec(name="db", port=27017), color=None))
            linked = self.running(
                "env", links=(Link(service="db", alias="my-db"), Link(service="absent", alias="x"))
            )
            seen = await self.read_environment(runtime, linked)
            assert (seen["MY_DB_HOST"], seen["MY_DB_PORT"]) == ("127.0.0.1", str(db.port))
            for name in ("MY_DB", "MY_DB_1"):
                assert seen[f"{name}_PORT_27017_TCP"] == f"tcp://127.0.0.1:{db.port}"
                assert seen[f"{name}_PORT_27017_TCP_ADDR"] == "127.0.0.1"
                assert seen[f"{name}_PORT_27017_TCP_PORT"] == str(db.port)
            assert not any(name.startswith("X_") for name in seen)

        self.run(scenario)

    def test_a_process_has_its_folder_its_session_and_no_descriptor_but_three(self, tmp_path: Path) -> None:
        show = "import os; print(os.getcwd(), os.getsid(0) == os.getpid(), os.listdir('/proc/self/fd'))"
        command = ("{python}", "-c", show)

        async def scenario(runtime: Runtime) -> None:
            spec = self.spec(process=ProcessSpec(command=command, directory=str(tmp_path)))
            await self.accepted(runtime, self.instance(spec))
            # The fourth is the listing itself.
            assert await self.output(runtime) == [f"{tmp_path} True ['0', '1', '2', '3']"]

        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        try:
            self.run(scenario)
        finally:
            os.close(reader)
            os.close(writer)

    def test_execute_sees_what_the_instance_sees(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            assert isinstance(runtime, ProcessRuntime)
            listed = await self.started(runtime, self.instance(color=Color.GREEN))
            code, output = await runtime.execute(listed.name, ("sh", "-c", "echo $PORT $BLUEGREEN_COLOR"))
            assert (code, output) == (0, f"{listed.port} green\n")
            assert await runtime.execute(listed.name, ("sh", "-c", "kill -9 $$")) == (137, "")

        self.run(scenario)

    def environment_of(self, spec: ServiceSpec) -> dict[str, str]:
        found: dict[str, str] = {}

        async def scenario(runtime: Runtime) -> None:
            found.update(await self.read_environment(runtime, spec))

        self.run(scenario)
        return found

    async def read_environment(self, runtime: Runtime, spec: ServiceSpec) -> dict[str, str]:
        await self.accepted(runtime, self.instance(spec))
        return dict(line.split("=", 1) for line in await self.output(runtime))

    async def output(self, runtime: Runtime) -> list[str]:
        """Wait until the service ``web`` has ended; return what it wrote."""
        (listed,) = await runtime.list(self.stack, "web")
        await self.becomes(runtime, listed.name, lambda i: i.exit_code == 0)
        assert isinstance(runtime, ProcessRuntime)
        return [line async for line in runtime.logs(listed.name)]
