"""The real HAProxy keeps the contract of balancers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bluegreen.testing.balancer_contract import BalancerContract
from bluegreen.testing.balancer_stage import Stage
from tests.support.haproxy_stage import haproxy_stage


class TestHaproxyBalancer(BalancerContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return haproxy_stage()
