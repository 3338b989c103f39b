"""NGINX's configuration for a box that bluegreen does not run."""

from __future__ import annotations

from bluegreen.domain.routing import Mode, Routing
from bluegreen.drivers.balancers.nginx.layout import CONFIG, STREAM_MODULE, Layout
from bluegreen.drivers.balancers.nginx.render import render
from bluegreen.ports.exporter import Exported, Exporter

_NO_CHECKS = (
    "NGINX asks no instance whether it is well: one that hangs stays a server until this is exported anew"
)
_MODULE = (
    f"plain TCP needs NGINX's stream module: {STREAM_MODULE} is where Debian's libnginx-mod-stream has it;"
    " leave the line out where it is built in"
)


def export(routing: Routing) -> Exported:
    """See :class:`bluegreen.ports.exporter.Exporter`."""
    rendering = render(routing, Layout(stream_module=STREAM_MODULE))
    tcp = any(listener.mode is Mode.TCP for listener in routing.listeners.values())
    return Exported(
        main=CONFIG,
        files={CONFIG: rendering.config, **rendering.files},
        command=f"nginx -p {{folder}} -c {CONFIG}",
        warnings=(_NO_CHECKS, *([_MODULE] if tcp else []), *rendering.warnings),
    )


_: Exporter = export
