"""The real HAProxy keeps the contract of balancers, in each way in which it is run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from bluegreen.testing.balancer_contract import BalancerContract
from bluegreen.testing.balancer_health_contract import BalancerHealthContract
from bluegreen.testing.balancer_stage import Stage
from tests.support.haproxy_stage import Way, haproxy_stage


class TestHaproxyBalancer(BalancerContract):
    @pytest.fixture(autouse=True)
    def _way(self, haproxy: Way) -> None:
        self.way = haproxy

    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return haproxy_stage(self.way)


class TestHaproxyBalancerHealth(BalancerHealthContract):
    @pytest.fixture(autouse=True)
    def _way(self, haproxy: Way) -> None:
        self.way = haproxy

    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return haproxy_stage(self.way)
