"""The registry in a real ZooKeeper keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from bluegreen.testing.registry_contract import RegistryContract
from tests.support.last_good_contract import LastGoodContract
from tests.support.zookeeper_program import ZooKeeperProgram, a_zookeeper
from tests.support.zookeeper_stage import ZooKeeperStage, staged


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperProgram]:
    with a_zookeeper(tmp_path_factory.mktemp("zookeeper")) as started:
        yield started


class OnZooKeeper:
    @pytest.fixture(autouse=True)
    def _program(self, program: ZooKeeperProgram) -> None:
        self.program = program

    def stage(self) -> AbstractAsyncContextManager[ZooKeeperStage]:
        return staged(self.program)


class TestZooKeeperRegistry(OnZooKeeper, RegistryContract):
    pass


class TestLastGoodOnZooKeeper(OnZooKeeper, LastGoodContract):
    pass
