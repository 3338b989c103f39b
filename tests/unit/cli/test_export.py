"""``export``: what is printed and written, on a controller of paper; monit's own judgement of its file."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.api.models import dump
from bluegreen.cli import monit
from bluegreen.domain.agent import COMPAT_CHECK, Agent
from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.errors import UserError
from bluegreen.engine.checks import CheckView
from tests.support.monit_program import judge
from tests.support.waiting import until
from tests.unit.cli import fake_controller as fake
from tests.unit.cli.conftest import Run

TRUE = ("/bin/true", "--state-dir", "/var/lib/blue green")
PING = HealthCheck(method="OPTIONS", path="/ping", host="shop.test", headers=(("X-Of", "5 %"),), timeout=2.5)
VIEW = CheckView(
    instance="shop-web-r1-1",
    stack="shop",
    service="web",
    host="172.17.0.3",
    port=3000,
    check=PING,
    agent=Agent(),
    stop_grace=10.0,
    proving=False,
)
VIEWS = (
    VIEW,
    replace(
        VIEW, instance="shop-web-r1-2", host="fd00::1", check=replace(PING, tls=True, method="HEAD", port=9)
    ),
    replace(VIEW, instance="shop-web-r1-3", check=replace(PING, body='it\'s "up" (100 %)', method="HEAD")),
    replace(VIEW, instance="shop-web-r1-4", check=replace(PING, expect=((200, 200),), path='/a "b"?c=d#e')),
    replace(VIEW, instance="shop-db-r1-1", check=HealthCheck(kind=CheckKind.TCP, interval=600.0)),
    replace(VIEW, instance="shop-tls-r1-1", check=HealthCheck(kind=CheckKind.TCP, tls=True)),
    replace(
        VIEW, instance="shop-job-r1-1", check=HealthCheck(kind=CheckKind.EXEC, command=("sh", "-c", "a; b"))
    ),
    replace(VIEW, instance="shop-none-r1-1", check=HealthCheck(kind=CheckKind.NONE)),
    replace(VIEW, instance="shop-lost-r1-1", host="", port=0),
    replace(VIEW, instance="shop-new-r2-1", proving=True),
    replace(VIEW, instance="shop-old-r1-1", agent=Agent(check=COMPAT_CHECK)),
    replace(VIEW, instance='it\'s a "nasty"\n{name}; # ü'),
    replace(VIEW, instance='it\'s a "nasty"\n{name}; # ö'),
)


def rendered(*views: CheckView, cycle: float = 30.0) -> str:
    return monit.render(dump(views), TRUE, cycle)


def test_monit_takes_checks_of_every_kind(tmp_path: Path) -> None:
    judge(tmp_path, rendered(*VIEWS, cycle=1.0))
    judge(tmp_path, rendered())


def test_an_http_check_is_asked_as_the_service_says() -> None:
    assert rendered(VIEW).partition("\n\n")[2] == (
        "# shop-web-r1-1: its check asks by OPTIONS, monit by GET\n"
        'check host "shop-web-r1-1" with address "172.17.0.3"\n'
        '    if failed port 3000 protocol http request "/ping" method GET status < 300 '
        'http headers [Host: "shop.test", X-Of: "5 %"]\n'
        "        with timeout 3 seconds for 2 cycles\n"
        "    then exec \"/bin/true --state-dir '/var/lib/blue green' restart shop-web-r1-1 --why monit\"\n"
        "        repeat every 1 cycles\n"
    )


def test_what_is_not_asked_is_said() -> None:
    said = rendered(*VIEWS)
    assert "# shop-none-r1-1: its service has no check\n" in said
    assert "# shop-lost-r1-1: it has no address now\n" in said
    assert "# shop-new-r2-1: its release has yet to prove itself" in said
    assert "# shop-old-r1-1: its check expects 200-209, 300-309, monit takes any status up to 309\n" in said


def test_times_are_counted_in_monits_cycles() -> None:
    slow = replace(VIEW, check=replace(PING, interval=10.0, fall=3, start_period=60.0))
    assert "for 30 cycles" in rendered(slow, cycle=1.0)
    assert "repeat every 95 cycles" in rendered(slow, cycle=1.0)  # 5 drain, 10 grace, 60 + 10 start, 10 more
    assert "for 3 cycles" in rendered(slow, cycle=30.0)
    assert "for 64 cycles" in rendered(replace(VIEW, check=replace(PING, interval=600.0)), cycle=1.0)


def test_nasty_names_stay_apart_and_one_line_each(tmp_path: Path) -> None:
    said = rendered(*VIEWS[-2:], replace(VIEW, instance="ä b; {x} # $y"))
    names = [line.partition(":")[0] for line in said.splitlines() if "no way to write" in line]
    assert len(set(names)) == 2
    assert "restart 'ä b; {x} # $y' --why" in said
    judge(tmp_path, said)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_word_of_a_check_breaks_out_of_its_quotes(path: str, host: str, body: str) -> None:
    wild = replace(PING, path=f"/{path}", host=host or None, body=body or None)
    lines = rendered(replace(VIEW, check=wild)).partition("\n\n")[2].rstrip("\n").split("\n")
    assert [line.count('"') % 2 for line in lines] == [0] * len(lines)
    assert [line.split()[0] for line in lines if not line.startswith("#")] == [
        "check",
        "if",
        "with",
        "then",
        "repeat",
    ]


@pytest.mark.parametrize("word", ["it's", 'a"b', "a\nb", "a\\b", ""])
def test_a_command_that_monit_cannot_run_is_refused(word: str) -> None:
    with pytest.raises(UserError) as seen:
        monit.command(["/bin/true", word])
    assert seen.value.code == "monit_unquotable"


@pytest.mark.parametrize("word", ["/var/lib/blue green", "a;b", "$HOME", "ü"])
def test_a_command_that_monit_can_run_is_accepted_by_it(word: str, tmp_path: Path) -> None:
    line = monit.command(["/bin/true", word])
    judge(tmp_path, f"check host a with address 127.0.0.1\n  if failed port 80 then exec {line}\n")


def test_the_file_is_for_its_owner_only_and_runs_this_program(
    controller: fake.FakeController, run: Run, tmp_path: Path, home: Path
) -> None:
    controller.on("GET /v1/checks", fake.document(dump([VIEW])))
    file = tmp_path / "bluegreen"
    done = run("export", "monit", "-o", str(file), "--stack", "shop", "--service", "web", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"file": str(file), "checks": 1, "reloaded": False}
    assert controller.asked("GET /v1/checks")[0].query == {"stack": "shop", "service": "web"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"-m bluegreen --state-dir {home} restart shop-web-r1-1 --why monit" in file.read_text()
    printed = run("export", "monit")
    assert printed.stdout == file.read_text()
    there = run("export", "monit", "--host", controller.url)
    assert f"bluegreen --host {controller.url} restart" in there.stdout
    judge(tmp_path, printed.stdout)


def test_reload_runs_after_a_change_only(controller: fake.FakeController, run: Run, tmp_path: Path) -> None:
    controller.on("GET /v1/checks", fake.document(dump([VIEW])))
    told = tmp_path / "told"
    words = (
        "export",
        "monit",
        "-o",
        str(tmp_path / "out"),
        "--json",
        "--reload",
        f"sh -c 'echo x >> {told}'",
    )
    assert [json.loads(run(*words).stdout)["reloaded"] for _ in range(2)] == [True, False]
    assert told.read_text() == "x\n"
    failing = run("export", "monit", "-o", str(tmp_path / "other"), "--reload", "false")
    assert failing.exit_code == 0
    assert "false failed: exit code 1" in failing.stderr


@pytest.mark.parametrize("options", [["--watch"], ["--reload", "true"]])
def test_watching_needs_a_file(run: Run, options: list[str]) -> None:
    done = run("export", "monit", *options)
    assert done.exit_code == 2
    assert "give -o FILE" in done.stderr


def test_a_file_that_cannot_be_written_is_an_error_of_the_user(
    controller: fake.FakeController, run: Run, tmp_path: Path
) -> None:
    controller.on("GET /v1/checks", fake.document([]))
    done = run("export", "monit", "-o", str(tmp_path / "none" / "out"))
    assert done.exit_code == 2
    assert "[output_unwritable]" in done.stderr
    assert list(tmp_path.iterdir()) == []


async def watching(controller: fake.FakeController, home: Path, file: Path) -> None:
    controller.on(
        "GET /v1/checks",
        fake.document(dump([VIEW])),
        fake.document(dump([VIEW])),
        fake.cut,
        fake.document(dump([replace(VIEW, port=3001)])),
    )
    command = ["export", "monit", "-o", str(file), "--watch", "--every", "0.1", "--json", "--reload", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bluegreen", *command],
        env=os.environ | {"BLUEGREEN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        await until(lambda: file.exists() and "port 3001" in file.read_text())
        asked = len(controller.asked("GET /v1/checks"))
        await until(lambda: len(controller.asked("GET /v1/checks")) > asked + 1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert [json.loads(line)["reloaded"] for line in out.splitlines()] == [True, True]
    assert "the file stays as it is" in err
    assert err.splitlines()[-1] == f"{file} stays as it is, and is no longer kept up to date"


def test_watch_writes_what_changes_until_it_is_interrupted(
    controller: fake.FakeController, home: Path, tmp_path: Path
) -> None:
    import asyncio

    asyncio.run(watching(controller, home, tmp_path / "out"))


EXPORTED: dict[str, Any] = {
    "main": "haproxy.cfg",
    "files": {"haproxy.cfg": "global\n", "routes-1.map": "shop.web -\n", "cert-1.pem": "secret\n"},
    "command": "haproxy -W -C {folder} -f haproxy.cfg",
    "warnings": ["something is left out"],
}


def test_a_configuration_is_printed_without_secrets(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/export/haproxy", fake.document(EXPORTED))
    done = run("export", "haproxy", "--stack", "shop")
    assert done.exit_code == 0, done.output
    assert controller.asked("GET /v1/export/haproxy")[0].query == {"stack": "shop"}
    assert done.stderr == "warning: something is left out\n"
    assert done.stdout == (
        "global\n\n# run it: haproxy -W -C FOLDER -f haproxy.cfg\n# FOLDER/routes-1.map holds:\n"
        "#   shop.web -\n# FOLDER/cert-1.pem: secret; -o DIR writes it\n"
    )
    assert json.loads(run("export", "haproxy", "--json").stdout) == EXPORTED


def test_a_configuration_is_written_with_all_its_files(
    controller: fake.FakeController, run: Run, tmp_path: Path
) -> None:
    controller.on("GET /v1/export/nginx", fake.document(EXPORTED))
    folder = tmp_path / "a folder"
    done = run("export", "nginx", "-o", str(folder))
    assert done.exit_code == 0, done.output
    assert done.stdout == f"3 files in {folder}; run it: haproxy -W -C '{folder}' -f haproxy.cfg\n"
    assert {path.name: path.read_text() for path in folder.iterdir()} == EXPORTED["files"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_name_needs_a_file(run: Run) -> None:
    done = run("export", "nginx", "--name", "shop")
    assert done.exit_code == 2
    assert "--stack" in done.stderr
