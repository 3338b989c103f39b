"""``serve``: the controller in the foreground."""

from __future__ import annotations

from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session


@verb(
    "serve",
    "bluegreen serve",
    "bluegreen serve --runtime process --state-dir /tmp/bluegreen",
    "bluegreen serve --listen 127.0.0.1:8110",
    "bluegreen serve --listen 0.0.0.0:8443 --tls-certificate box.pem --tls-key box.key",
)
@click.option("--runtime", metavar="NAME", help="What runs instances: auto, docker, process.")
@click.option("--docker-url", metavar="URL", help="Address of the Docker Engine.")
@click.option("--balancer", metavar="NAME", help="What carries the routes: haproxy, nginx, boxes.")
@click.option("--registry", metavar="URL", help="Where to announce instances: consul://HOST:PORT.")
@click.option("--haproxy-binary", metavar="PATH", help="An HAProxy of 2.6 or newer.")
@click.option("--haproxy-run", type=click.Choice(["process", "container"]), help="How HAProxy runs.")
@click.option("--haproxy-image", metavar="IMAGE", help="Image of HAProxy when it runs in a container.")
@click.option(
    "--haproxy-request-log/--no-haproxy-request-log", default=None, help="Measure latency and errors."
)
@click.option("--nginx-binary", metavar="PATH", help="An NGINX of 1.20 or newer.")
@click.option("--nginx-stream-module", metavar="FILE", help="NGINX's module for plain TCP.")
@click.option("--nginx-run", type=click.Choice(["process", "container", "existing"]), help="How NGINX runs.")
@click.option("--nginx-image", metavar="IMAGE", help="Image of NGINX when it runs in a container.")
@click.option("--nginx-include-dir", metavar="DIR", help="Folder that an existing NGINX includes.")
@click.option("--nginx-main-config", metavar="FILE", help="Configuration of an existing NGINX.")
@click.option("--nginx-pid-file", metavar="FILE", help="Pid file of an existing NGINX.")
@click.option("--nginx-keepalive", metavar="SECONDS", help="How long NGINX keeps clients' idle connections.")
@click.option("--listen", metavar="HOST:PORT", help="Also serve the API here, to whoever has a token.")
@click.option("--tls-certificate", metavar="FILE", help="Certificate of that address with its chain, in PEM.")
@click.option("--tls-key", metavar="FILE", help="Key of that certificate, in PEM.")
@click.option("--notify-style", type=click.Choice(["json", "slack"]), help="What BLUEGREEN_NOTIFY_URL takes.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Least important log line to print.",
)
@pass_session
def serve(session: Session, **flags: Any) -> None:
    """Run the controller in the foreground.

    Ends at SIGTERM or Ctrl-C; the balancer and the instances go on, and the next controller takes
    them over. Each option is also a variable, for example BLUEGREEN_RUNTIME.
    """
    import asyncio
    import os

    from bluegreen.lifetime import loading

    with loading():
        from bluegreen.server import serve as run
        from bluegreen.settings import load

    asyncio.run(run(load(os.environ, flags | {"home": session.home})))
