"""The real NGINX keeps the contract of balancers, in each way in which it is run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from bluegreen.testing.balancer_contract import BalancerContract
from bluegreen.testing.balancer_stage import Stage
from tests.support.haproxy_stage import Way
from tests.support.nginx_stage import nginx_stage


class TestNginxBalancer(BalancerContract):
    @pytest.fixture(autouse=True)
    def _way(self, nginx: Way) -> None:
        self.way = nginx

    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return nginx_stage(self.way)
