"""What every prober must do, as a test suite.

Derive from :class:`ProberContract` in a test module, implement :meth:`~ProberContract.stage`, and
pytest runs the suite against your driver. Rule: the suite speaks only the vocabulary of
:mod:`bluegreen.ports.prober`; the targets are the :class:`Stage`'s.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Outcome
from bluegreen.ports.prober import Prober
from bluegreen.testing.suite import Suite

CHECK = HealthCheck(path="/ping", timeout=5.0)
HASTY = replace(CHECK, timeout=0.1)
TCP = HealthCheck(kind=CheckKind.TCP, timeout=5.0)

Address = tuple[str, int]


class Stage(Protocol):
    """A prober and things to probe. Ends all it started when its context ends."""

    prober: Prober

    async def serving(self, *statuses: int, body: str = "", tls: bool = False) -> Address:
        """Start a target that answers each status once, then always the last one.

        With ``tls`` it speaks TLS, under a certificate that it signed itself for another name.
        """
        ...

    async def silent(self) -> Address:
        """Start a target that accepts connections and never answers."""
        ...

    async def deaf(self) -> Address:
        """Return an address at which connections are neither accepted nor refused."""
        ...

    async def absent(self) -> Address:
        """Return an address at which nothing listens."""
        ...

    def blinded(self) -> AbstractAsyncContextManager[None]:
        """Let every probe fail by the prober's own fault inside the context."""
        ...


class ProberContract(Suite[Stage]):
    """See the module."""

    def test_a_status_in_the_range_passes_and_any_other_fails(self) -> None:
        async def scenario(stage: Stage) -> None:
            statuses = (200, 299, 302, 399, 400, 503)
            expected = (Outcome.PASS, Outcome.PASS, *(Outcome.FAIL,) * 4)
            for status, outcome in zip(statuses, expected, strict=True):
                result = await stage.prober.probe(*await stage.serving(status), CHECK)
                assert (result.outcome, result.status, result.error) == (outcome, status, "")

        self.run(scenario)

    def test_the_range_is_the_checks(self) -> None:
        async def scenario(stage: Stage) -> None:
            for expect, outcome in ((((404, 404),), Outcome.PASS), (((200, 403),), Outcome.FAIL)):
                check = replace(CHECK, expect=expect)
                result = await stage.prober.probe(*await stage.serving(404), check)
                assert result.outcome is outcome

        self.run(scenario)

    def test_any_of_several_ranges_will_do(self) -> None:
        async def scenario(stage: Stage) -> None:
            check = replace(CHECK, expect=((200, 200), (301, 302)))
            statuses = (200, 201, 300, 301, 302, 303)
            address = await stage.serving(*statuses)
            outcomes = [(await stage.prober.probe(*address, check)).outcome for _ in statuses]
            passed = [status for status, outcome in zip(statuses, outcomes, strict=True) if outcome == "pass"]
            assert passed == [200, 301, 302]

        self.run(scenario)

    def test_the_answer_must_contain_the_text(self) -> None:
        async def scenario(stage: Stage) -> None:
            text = "ready: ja, größer"
            check = replace(CHECK, body=text)
            for body in (f"I am {text} than ever", "x" * 5000 + text):
                result = await stage.prober.probe(*await stage.serving(200, body=body), check)
                assert (result.outcome, result.error) == (Outcome.PASS, "")
            result = await stage.prober.probe(*await stage.serving(200, body="still starting"), check)
            assert (result.outcome, result.status, result.body) == (Outcome.FAIL, 200, "still starting")
            for words in ("status 200", "ready: ja", "is not in the answer", "'still starting'"):
                assert words in result.describe()
            result = await stage.prober.probe(*await stage.serving(204), check)
            assert result.outcome is Outcome.FAIL
            assert "an empty body" in result.error

        self.run(scenario)

    def test_a_text_does_not_make_up_for_a_status(self) -> None:
        async def scenario(stage: Stage) -> None:
            address = await stage.serving(503, body="ready")
            result = await stage.prober.probe(*address, replace(CHECK, body="ready"))
            assert (result.outcome, result.status, result.body) == (Outcome.FAIL, 503, "ready")
            assert result.error == ""

        self.run(scenario)

    def test_tls_is_spoken_without_verifying_anything(self) -> None:
        async def scenario(stage: Stage) -> None:
            host, port = await stage.serving(200, 503, body="ready", tls=True)
            check = replace(CHECK, tls=True, host="shop.example", body="ready")
            results = [await stage.prober.probe(host, port, check) for _ in range(2)]
            assert [result.outcome for result in results] == [Outcome.PASS, Outcome.FAIL]
            assert results[0].url == f"https://{host}:{port}/ping"
            result = await stage.prober.probe(host, port, replace(TCP, tls=True))
            assert (result.outcome, result.url) == (Outcome.PASS, f"tls://{host}:{port}")

        self.run(scenario)

    def test_tls_where_there_is_none_fails(self) -> None:
        async def scenario(stage: Stage) -> None:
            for address in (await stage.serving(200), await stage.serving(200, body="x" * 500)):
                for check in (CHECK, TCP):
                    result = await stage.prober.probe(*address, replace(check, tls=True, timeout=1.0))
                    assert result.outcome is Outcome.FAIL
                    assert "TLS handshake" in result.error

        self.run(scenario)

    def test_no_tls_where_there_is_some_fails(self) -> None:
        async def scenario(stage: Stage) -> None:
            address = await stage.serving(200, tls=True)
            result = await stage.prober.probe(*address, CHECK)
            assert result.outcome is Outcome.FAIL
            assert result.error
            assert (await stage.prober.probe(*address, TCP)).outcome is Outcome.PASS

        self.run(scenario)

    def test_connecting_has_its_own_bound(self) -> None:
        async def scenario(stage: Stage) -> None:
            address = await stage.deaf()
            hasty = (replace(CHECK, connect_timeout=0.1), replace(TCP, connect_timeout=0.1), HASTY)
            for check in (*hasty, replace(HASTY, connect_timeout=30.0)):
                result = await stage.prober.probe(*address, check)
                assert result.outcome is Outcome.FAIL
                assert result.error == "timed out after 0.1 s while connecting"
            slow = await stage.silent()
            result = await stage.prober.probe(*slow, replace(CHECK, connect_timeout=0.05, timeout=0.2))
            assert result.error == "timed out after 0.2 s without an answer"

        self.run(scenario)

    def test_a_command_inside_is_not_its_business(self) -> None:
        async def scenario(stage: Stage) -> None:
            check = HealthCheck(kind=CheckKind.EXEC, command=("/bin/well", "--now, please"))
            result = await stage.prober.probe(*await stage.serving(200), check)
            assert (result.outcome, result.url) == (Outcome.UNKNOWN, "exec /bin/well '--now, please'")
            assert "inside" in result.error

        self.run(scenario)

    def test_every_probe_looks_anew(self) -> None:
        async def scenario(stage: Stage) -> None:
            address = await stage.serving(503, 200, 500)
            seen = [(await stage.prober.probe(*address, CHECK)).status for _ in range(4)]
            assert seen == [503, 200, 500, 500]

        self.run(scenario)

    def test_a_result_says_where_when_and_what(self) -> None:
        async def scenario(stage: Stage) -> None:
            host, port = await stage.serving(503, body="the database is away " + "x" * 500)
            first = await stage.prober.probe(host, port, CHECK)
            second = await stage.prober.probe(host, port, CHECK)
            assert first.url == f"http://{host}:{port}/ping"
            assert 0 < first.at <= second.at
            assert first.elapsed >= 0
            assert first.body.startswith("the database is away")
            assert len(first.body) == 200
            assert "503" in first.describe()

        self.run(scenario)

    def test_a_refused_connection_fails(self) -> None:
        async def scenario(stage: Stage) -> None:
            address = await stage.absent()
            for check in (CHECK, TCP):
                result = await stage.prober.probe(*address, check)
                assert (result.outcome, result.error) == (Outcome.FAIL, "connection refused")
                assert result.status is None

        self.run(scenario)

    def test_no_answer_in_time_fails(self) -> None:
        async def scenario(stage: Stage) -> None:
            result = await stage.prober.probe(*await stage.silent(), HASTY)
            assert result.outcome is Outcome.FAIL
            assert result.error.startswith("timed out after 0.1 s")

        self.run(scenario)

    def test_a_tcp_check_asks_for_a_connection_only(self) -> None:
        async def scenario(stage: Stage) -> None:
            host, port = await stage.silent()
            result = await stage.prober.probe(host, port, TCP)
            assert (result.outcome, result.error, result.status) == (Outcome.PASS, "", None)
            assert result.url == f"tcp://{host}:{port}"

        self.run(scenario)

    def test_no_check_always_passes(self) -> None:
        async def scenario(stage: Stage) -> None:
            result = await stage.prober.probe(*await stage.absent(), HealthCheck(kind=CheckKind.NONE))
            assert result.outcome is Outcome.PASS

        self.run(scenario)

    def test_the_checks_own_port_is_asked(self) -> None:
        async def scenario(stage: Stage) -> None:
            host, port = await stage.serving(200)
            _, traffic = await stage.absent()
            result = await stage.prober.probe(host, traffic, replace(CHECK, port=port))
            assert result.outcome is Outcome.PASS
            assert f":{port}/" in result.url

        self.run(scenario)

    def test_its_own_fault_says_nothing_of_the_target(self) -> None:
        async def scenario(stage: Stage) -> None:
            address = await stage.serving(200)
            async with stage.blinded():
                for check in (CHECK, TCP):
                    result = await stage.prober.probe(*address, check)
                    assert result.outcome is Outcome.UNKNOWN
                    assert result.error
            assert (await stage.prober.probe(*address, CHECK)).outcome is Outcome.PASS

        self.run(scenario)

    def test_many_at_once_do_not_mix(self) -> None:
        async def scenario(stage: Stage) -> None:
            wanted = [200 + index for index in range(20)]
            addresses = [await stage.serving(status) for status in wanted]
            results = await asyncio.gather(*(stage.prober.probe(*address, CHECK) for address in addresses))
            assert [result.status for result in results] == wanted

        self.run(scenario)
