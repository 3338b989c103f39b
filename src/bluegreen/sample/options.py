"""The options of the sample application, each of which is also read from the environment."""

from __future__ import annotations

import argparse
import os
import socket


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app", description="The sample application of bluegreen.")

    def option(name: str, kind: type, default: object, text: str) -> None:
        given = os.environ.get(name.upper().replace("-", "_"), default)
        parser.add_argument(f"--{name}", type=kind, default=given, help=text)

    def switch(name: str, text: str) -> None:
        given = os.environ.get(name.upper().replace("-", "_"), "") not in ("", "0", "false", "no")
        parser.add_argument(f"--{name}", action="store_true", default=given, help=text)

    option("version", str, "0.0.0", "what /version and X-Version say")
    option("port", int, 3000, "port to listen on")
    option("listen-on", int, None, "port to listen on in spite of --port: a wrong one")
    option("host", str, "127.0.0.1", "address to listen on")
    option("instance", str, os.environ.get("BLUEGREEN_INSTANCE") or socket.gethostname(), "own name")
    option("start-delay", float, 0.0, "seconds before it listens")
    option("warm-up", float, 0.0, "seconds from the start in which /ping is 503")
    option("fail-ping", int, 0, "status of every /ping")
    option("healthy-pings", int, None, "after that many, /ping is 500")
    option("ping-delay", float, 0.0, "seconds until /ping is answered")
    option("needs", str, "", "alias of a link that /ping must be able to connect to")
    option("fail-when-file", str, "", "/ping is 500 while this file exists")
    option("redirect-ping", str, "", "/ping redirects to this URL")
    option("exit-after", float, None, "end by itself after that many seconds")
    option("exit-code", int, 0, "with which status --exit-after ends")
    option("exit-at-start", int, None, "end at once with this status")
    option("allocate", int, 0, "MB of memory to hold")
    switch("hang-ping", "never answer /ping")
    switch("never-listen", "run without listening")
    switch("die-on-term", "end at once on SIGTERM, requests in flight are lost")
    switch("ignore-term", "do not end on SIGTERM")
    return parser.parse_args(arguments)
