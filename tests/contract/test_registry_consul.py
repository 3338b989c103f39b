"""The contract of registries, on a real Consul that the tests of the class share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from bluegreen.testing.registry_contract import RegistryContract
from tests.support.consul_program import Consul, ConsulStage, a_consul, consul_stage
from tests.support.last_good_contract import LastGoodContract


class OnConsul:
    consul: Consul

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def shared(cls) -> Iterator[None]:
        with a_consul() as cls.consul:
            yield

    def stage(self) -> AbstractAsyncContextManager[ConsulStage]:
        return consul_stage(self.consul)


class TestConsul(OnConsul, RegistryContract):
    pass


class TestLastGoodOnConsul(OnConsul, LastGoodContract):
    pass
