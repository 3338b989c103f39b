"""RequestLog: every request that users made, as the balancer saw it. An offer that a balancer may make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from bluegreen.domain.naming import PoolId


class Seen(NamedTuple):
    """One request. ``status`` is that of the answer, -1 where the user left without one.

    ``milliseconds`` is what the user waited: from the end of the request's header to the beginning of the
    answer, waits in the balancer and repeated attempts included; where no answer came, until the end.
    """

    pool: PoolId
    status: int
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was seen since the last batch, equal ones counted together.

    ``lost`` are requests that were not told of because they came faster than they were read, ``strange``
    lines that could not be understood.
    """

    seen: Mapping[Seen, int] = field(default_factory=dict)
    lost: int = 0
    strange: int = 0


@runtime_checkable
class RequestLog(Protocol):
    def requests(self) -> AsyncIterator[Batch]:
        """Yield what users ask from now on, in batches, for as long as the iterator is read.

        Ends by itself only where nothing is told. Users are not held up by a reader that is slow or gone,
        and a data plane that is away is waited for. What nobody reads is not kept.
        """
        ...
