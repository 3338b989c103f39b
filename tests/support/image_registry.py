"""A small image registry on loopback: what a pull needs, a login, and refusals on demand.

The Docker Engine trusts registries on 127.0.0.0/8 without TLS, so tests can pull for real.
Implements the read side of the OCI distribution protocol.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class ImageRegistry:
    """Serves images by ``name:tag``. With ``login`` (``user:password``) only to those who know it."""

    def __init__(self, port: int, login: str | None = None) -> None:
        self.host = f"127.0.0.1:{port}"
        self.login = login
        self._blobs: dict[str, bytes] = {}
        self._manifests: dict[str, bytes] = {}

    def publish(self, name: str, *, content: str, architecture: str = "amd64", port: int = 80) -> str:
        """Publish an image holding one file under ``name:tag``; return its reference."""
        layer = _layer(content)
        diff = _digest(layer)
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/content"], "ExposedPorts": {f"{port}/tcp": {}, "53/udp": {}}},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(
                "application/vnd.docker.container.image.v1+json", json.dumps(config).encode()
            ),
            "layers": [
                self._blob("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip.compress(layer, mtime=0))
            ],
        }
        text = json.dumps(manifest).encode()
        repository, _, tag = name.partition(":")
        self._manifests[f"{repository}/{tag}"] = self._manifests[f"{repository}/{_digest(text)}"] = text
        return f"{self.host}/{name}"

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a GET of ``path``."""
        if self.login and authorization != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            return 401, "application/json", _error("UNAUTHORIZED", "authentication required")
        if path == "/v2/":
            return 200, "application/json", b"{}"
        repository, kind, reference = path.removeprefix("/v2/").rsplit("/", 2)
        if kind == "manifests" and f"{repository}/{reference}" in self._manifests:
            return 200, MANIFEST, self._manifests[f"{repository}/{reference}"]
        if kind == "blobs" and reference in self._blobs:
            return 200, "application/octet-stream", self._blobs[reference]
        return 404, "application/json", _error("MANIFEST_UNKNOWN", "manifest unknown")

    def _blob(self, media_type: str, data: bytes) -> dict[str, object]:
        self._blobs[_digest(data)] = data
        return {"mediaType": media_type, "size": len(data), "digest": _digest(data)}


@contextmanager
def serving(login: str | None = None) -> Iterator[ImageRegistry]:
    """Serve an empty registry on a free port for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, media_type, body = registry.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if media_type == MANIFEST:
                self.send_header("Docker-Content-Digest", _digest(body))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry = ImageRegistry(server.server_port, login)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()


def _layer(content: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("content")
        entry.size = len(content.encode())
        archive.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
