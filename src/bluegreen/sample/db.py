"""A stand-in for a database: listens, and answers each line ``PING`` with ``PONG``.

The reference stack links to a service named ``db``; what matters there is that something listens
under that name. Runs from this one file on Debian's ``python3-minimal``.
"""

import argparse
import os
import signal
import socket
import sys
import threading


def converse(client: socket.socket) -> None:
    with client, client.makefile("rwb") as lines:
        try:
            for line in lines:
                lines.write(b"PONG\n" if line.strip().upper() == b"PING" else b"ERR say PING\n")
                lines.flush()
        except OSError:
            return


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="db", description="The sample database of bluegreen.")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=os.environ.get("PORT", "27017"))
    options = parser.parse_args(arguments)
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda _signal, _frame: sys.exit(0))
    with socket.create_server((options.host, options.port), backlog=128) as listener:
        print(f"db listens on {options.host}:{listener.getsockname()[1]}", flush=True)
        while True:
            client, _address = listener.accept()
            threading.Thread(target=converse, args=(client,), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
