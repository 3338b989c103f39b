"""Certificates for tests, made on the spot: nobody signed them but themselves."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from functools import cache
from pathlib import Path


@cache
def self_signed_pem(name: str = "a.test", *others: str) -> str:
    """Return key and certificate of ``name`` (and ``others``) as one PEM text."""
    with tempfile.TemporaryDirectory(prefix="bg-cert-") as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        names = [
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName={','.join(f'DNS:{one}' for one in (name, *others))}",
        ]
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*command.split(), *names, *files], check=True, capture_output=True, timeout=60)
        return key.read_text() + certificate.read_text()


def self_signed(name: str = "a.test") -> ssl.SSLContext:
    """Return the context of a server that shows such a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(self_signed_pem(name))
        file.flush()
        context.load_cert_chain(file.name)
    return context
