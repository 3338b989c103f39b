"""What of a balancer's definition nobody is shown: keys of certificates, passwords of accounts. Pure.

A certificate stays readable, so that people see which one it is; lines in the balancer's own language
(``extra``) are shown as they are. Called by :mod:`bluegreen.domain.concealment`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from bluegreen.domain.routing import Listener, Stats
from bluegreen.domain.secrecy import MASK, SHORTEST, nothing_stored
from bluegreen.domain.stack import BalancerSpec

_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
"""RFC 7468, with the labels of PKCS #1 and SEC 1 as well as PKCS #8."""


class Account(NamedTuple):
    """Whose password it is: one user may have another on each port."""

    of: str
    port: int
    user: str


def concealed(spec: BalancerSpec) -> BalancerSpec:
    return _changed(spec, certificate=_without_key, password=lambda account, said: MASK)


def restored(spec: BalancerSpec, known: BalancerSpec | None) -> BalancerSpec:
    """Return ``spec`` with the keys and passwords of ``known`` where it has the mask.

    Raises ``UserError`` (``secret_unknown``) where there is none.
    """
    passwords, certificates = _passwords(known), _certificates(known)

    def certificate(pem: str) -> str:
        if MASK not in pem:
            return pem
        if pem not in certificates:
            raise nothing_stored("the key of a certificate", spec.name)
        return certificates[pem]

    def password(account: Account, said: str) -> str:
        if said != MASK:
            return said
        if account in passwords:
            return passwords[account]
        alike = {passwords[one] for one in passwords if one.user == account.user}
        if len(alike) != 1:  # its port may be another than it was
            raise nothing_stored(f"the password of {account.user}", spec.name)
        return alike.pop()

    return _changed(spec, certificate=certificate, password=password)


def values(spec: BalancerSpec) -> frozenset[str]:
    """Return the passwords that are long enough to be struck out of texts."""
    return frozenset(password for password in _passwords(spec).values() if len(password) >= SHORTEST)


def _changed(
    spec: BalancerSpec, *, certificate: Callable[[str], str], password: Callable[[Account, str], str]
) -> BalancerSpec:
    def listener(one: Listener) -> Listener:
        tls = one.tls and replace(one.tls, certificates=tuple(map(certificate, one.tls.certificates)))
        accounts = tuple((user, password(_user(one, user), said)) for user, said in one.basic_auth)
        return replace(one, tls=tls, basic_auth=accounts)

    def page(one: Stats) -> Stats:
        return one if one.password is None else replace(one, password=password(_viewer(one), one.password))

    return replace(
        spec,
        listeners=tuple(map(listener, spec.listeners)),
        settings=replace(spec.settings, stats=tuple(map(page, spec.settings.stats))),
    )


def _without_key(pem: str) -> str:
    return _KEY.sub(MASK, pem)


def _certificates(spec: BalancerSpec | None) -> Mapping[str, str]:
    """Return every certificate by what is shown of it."""
    listeners = () if spec is None else spec.listeners
    return {_without_key(pem): pem for one in listeners if one.tls for pem in one.tls.certificates}


def _passwords(spec: BalancerSpec | None) -> Mapping[Account, str]:
    if spec is None:
        return {}
    pages = {_viewer(page): page.password for page in spec.settings.stats if page.password is not None}
    return {**pages, **{_user(one, user): said for one in spec.listeners for user, said in one.basic_auth}}


def _viewer(page: Stats) -> Account:
    return Account("stats", page.port, page.user or "")


def _user(listener: Listener, name: str) -> Account:
    return Account("listener", listener.port, name)
