"""NGINX as a balancer: renders a configuration from the routing. Pure so far: nothing here runs NGINX."""

from __future__ import annotations

from bluegreen.drivers.balancers.nginx.layout import Layout
from bluegreen.drivers.balancers.nginx.render import Rendering, render

__all__ = ["Layout", "Rendering", "render"]
