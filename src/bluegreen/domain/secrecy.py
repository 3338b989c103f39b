"""Which values of an environment nobody is shown, and what is shown in their place. Pure.

Secret is what the stack file marks (``x-bluegreen: {secret_environment: […]}``), and what its name gives
away: to hide one value too many costs a look into the file, to show one too many costs the secret. Whole
definitions are shown by :mod:`bluegreen.domain.concealment`; what others have said (errors, log lines,
answers to a probe) has the values struck out before it becomes an event, a reason, a view.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from bluegreen.domain.errors import UserError
from bluegreen.domain.rollout import Reason
from bluegreen.domain.spec import ServiceSpec

MASK = "(secret)"

SHORTEST = 6
"""Characters that a value has at least to be struck out of texts: shorter ones are in every other word."""

_TELLING = re.compile(r"PASSW(OR)?D|PASSPHRASE|(^|_)PASS$|SECRET|TOKEN|CREDENTIAL|KEY(_|$)", re.IGNORECASE)


def is_secret(name: str, marked: Collection[str] = ()) -> bool:
    """Whether the value of the variable ``name`` is one; ``marked`` are the names that the file marks."""
    return name in marked or _TELLING.search(name) is not None


def masked(environment: Mapping[str, str], marked: Collection[str] = ()) -> dict[str, str]:
    return {name: MASK if is_secret(name, marked) else value for name, value in environment.items()}


def restored(spec: ServiceSpec, known: ServiceSpec | None) -> ServiceSpec:
    """Return ``spec`` with the values of ``known`` where it has the mask: what was read comes back as it is.

    Raises ``UserError`` (``secret_unknown``) where there is none, and where it would be shown from now on.
    """
    before = {} if known is None else known.environment
    masks = [name for name, value in spec.environment.items() if value == MASK]
    hidden = [name for name in masks if is_secret(name, spec.secrets)]
    unmarked = [name for name in masks if name not in hidden and known and name in known.secrets]
    if unmarked:
        raise _no_longer(", ".join(unmarked), spec.name)
    missing = [name for name in hidden if name not in before]
    if missing:
        raise nothing_stored(", ".join(missing), spec.name)
    return replace(spec, environment={**spec.environment, **{name: before[name] for name in hidden}})


def nothing_stored(what: str, owner: str) -> UserError:
    """Return the refusal of a mask that stands for nothing."""
    return UserError(
        f"{MASK} is no value for {what} of {owner}: none is stored",
        code="secret_unknown",
        hint="Send the value itself; what the controller shows of a secret says only that there is one.",
    )


def _no_longer(names: str, owner: str) -> UserError:
    return UserError(
        f"{names} of {owner} is no longer marked as secret, but has {MASK} as its value",
        code="secret_unknown",
        hint="Send the value itself, or go on marking it: what was hidden is not brought out again.",
    )


def values(specs: Iterable[ServiceSpec | None]) -> frozenset[str]:
    """Return the secret values of ``specs`` that are long enough to be struck out."""
    return frozenset(
        value
        for spec in specs
        if spec is not None
        for name, value in spec.environment.items()
        if len(value) >= SHORTEST and is_secret(name, spec.secrets)
    )


def struck(text: str, known: Collection[str]) -> str:
    """Return ``text`` without the values ``known``, the longest first."""
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def struck_reason(reason: Reason, known: Collection[str]) -> Reason:
    if not known:
        return reason
    return replace(
        reason,
        message=struck(reason.message, known),
        evidence=tuple((label, struck(text, known)) for label, text in reason.evidence),
        hint=struck(reason.hint, known),
    )
