"""Reads which hosts a certificate is for: NGINX picks a certificate by server, HAProxy by its names.

A small walk over DER (X.690), as far as subjectAltName (RFC 5280, 4.2.1.6); what is not understood names no
host, and the certificate is then used only where it is the first.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_OCTETS, _OBJECT, _DNS_NAME = 0x04, 0x06, 0x82
_CONSTRUCTED = 0x20


def hosts_of(pem: str) -> tuple[str, ...]:
    """Return the DNS names of the first certificate of ``pem``, lower case."""
    found = _PEM.search(pem)
    try:
        der = binascii.a2b_base64(found[1]) if found else b""
        return tuple(name.decode("ascii").lower() for name in _names(der))
    except (ValueError, IndexError):
        return ()


def fitting(certificates: Sequence[str], host: str) -> str:
    """Return the certificate for ``host``: the first that names it, or its wildcard, else the first."""
    parent = "*." + host.partition(".")[2]
    named = [(pem, hosts_of(pem)) for pem in certificates] if len(certificates) > 1 else []
    for wanted in (host, parent):
        for pem, hosts in named:
            if wanted in hosts:
                return pem
    return certificates[0]


def _names(der: bytes) -> Iterator[bytes]:
    """Yield the names in the extension subjectAltName, wherever it is."""
    follows = False
    for tag, content in _walk(der):
        if tag == _OCTETS and follows:
            yield from (name for tag, name in _walk(content) if tag == _DNS_NAME)
            return
        follows = follows if tag == 0x01 else tag == _OBJECT and content == _SUBJECT_ALT_NAME


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield every primitive value, in order."""
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(data[at : at + count]), at + count
        content, at = data[at : at + size], at + size
        if tag & _CONSTRUCTED:
            yield from _walk(content)
        else:
            yield tag, content
