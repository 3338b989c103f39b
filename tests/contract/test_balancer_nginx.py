"""The real NGINX keeps the contract of balancers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bluegreen.testing.balancer_contract import BalancerContract
from bluegreen.testing.balancer_stage import Stage
from tests.support.nginx_stage import nginx_stage


class TestNginxBalancer(BalancerContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return nginx_stage()
