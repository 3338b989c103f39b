"""Limits reach the instance or are refused; what can never run is refused before anything starts."""

from __future__ import annotations

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.spec import Limits
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract.harness import RuntimeHarness


class RefusalsContract(RuntimeHarness):
    """Limits and specs that cannot be met."""

    def test_limits_reach_the_instance(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            limits = self.limits()
            listed = await self.started(runtime, self.instance(self.spec(limits=limits)))
            real = await self.limits_of(runtime, listed.name)
            for field in ("cpu_shares", "cpuset", "mem_limit"):
                assert getattr(real, field) == getattr(limits, field), field

        self.run(scenario)

    @pytest.mark.parametrize(
        ("limits", "word"),
        [
            (Limits(cpuset="0,4000"), "cpuset"),
            (Limits(mem_limit=1 << 55), "mem_limit"),
            (Limits(cpus=4000.0), "cpus"),
        ],
    )
    def test_an_impossible_limit_is_refused_before_anything_starts(self, limits: Limits, word: str) -> None:
        async def scenario(runtime: Runtime) -> None:
            with pytest.raises(UserError) as refused:
                await runtime.prepare(self.stack, self.spec(limits=limits))
            assert refused.value.code == "limit_impossible"
            assert word in refused.value.message
            assert refused.value.hint
            assert await runtime.list(self.stack) == ()

        self.run(scenario)

    def test_a_spec_that_can_never_run_is_refused_with_its_code_and_a_hint(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            for code, spec in self.broken_specs().items():
                with pytest.raises(UserError) as refused:
                    await runtime.prepare(self.stack, spec)
                assert refused.value.code == code
                assert refused.value.hint

        self.run(scenario)
