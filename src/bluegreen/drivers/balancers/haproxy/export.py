"""HAProxy's configuration for a box that bluegreen does not run."""

from __future__ import annotations

from bluegreen.domain.routing import Routing
from bluegreen.drivers.balancers.haproxy.layout import CONFIG, Layout
from bluegreen.drivers.balancers.haproxy.render import render
from bluegreen.drivers.proxies.validation import validate
from bluegreen.ports.exporter import Exported, Exporter


def export(routing: Routing) -> Exported:
    """See :class:`bluegreen.ports.exporter.Exporter`."""
    validate(routing, routing.routes.values(), routing.pools.values())
    rendering = render(routing, Layout())
    files = {CONFIG: rendering.config, **rendering.files}
    return Exported(main=CONFIG, files=files, command=f"haproxy -W -C {{folder}} -f {CONFIG}")


_: Exporter = export
