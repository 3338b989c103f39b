"""What a driver says when its folder cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

from bluegreen.domain.errors import Permanent, Temporary

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def unwritable(path: Path, error: OSError) -> Temporary | Permanent:
    if error.errno in _FULL:
        return Temporary(
            f"no space left to write {path}",
            code="disk_full",
            hint="Free some space; traffic goes on as it was.",
            evidence=(("system", str(error)),),
        )
    return Permanent(
        f"{path} cannot be written",
        code="state_unwritable",
        hint="Let the controller's user write to its state folder.",
        evidence=(("system", str(error)),),
    )
