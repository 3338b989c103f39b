"""Runtime: what runs instances (a container engine, local processes)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from bluegreen.domain.instance import Instance, InstanceSpec, Prepared, RuntimeEvent
from bluegreen.domain.spec import ServiceSpec


class Runtime(Protocol):
    """Runs instances and says what runs. Every method is idempotent and may be retried."""

    name: str

    async def prepare(self, stack: str, spec: ServiceSpec) -> Prepared:
        """Make ``spec`` runnable: fetch the image if it is missing, pin it, check the limits.

        Raises ``UserError`` when the spec can never run here (``image_missing``,
        ``limit_impossible``, ``wrong_platform``, ``no_command`` …), ``Temporary`` when the runtime or
        the image registry does not answer. Starts nothing.
        """
        ...

    async def start(self, instance: InstanceSpec) -> None:
        """Bring the instance to running, creating it if needed. A running one is left alone.

        One that runs but lost its network gets it back, one that was renamed its name. An instance of that
        name whose ``config_hash`` differs is an error (``name_taken``), never silently replaced. Returns
        once the runtime accepted the start, not when it is healthy.
        """
        ...

    async def stop(self, name: str) -> None:
        """Stop the instance with its own signal and grace, then kill. Absent or stopped is fine.

        It stays listed (``exited``) and is not brought back by its restart policy.
        """
        ...

    async def remove(self, name: str) -> None:
        """Stop the instance if needed and forget it with its anonymous volumes. Absent is fine."""
        ...

    async def list(self, stack: str | None = None, service: str | None = None) -> tuple[Instance, ...]:
        """Return every instance of bluegreen's (or of one stack, or service) in any state.

        Raises rather than returning a partial answer. What is remembered may be used only as far as it can
        be checked: looking at everything now and then is how an event that was never told is healed.
        """
        ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """Yield events for as long as the iterator is read; reconnects by itself.

        After a gap it yields ``RESYNC``. The first event is always ``RESYNC``.
        """
        ...


class Console(Protocol):
    """What a person wants of a single instance."""

    def logs(self, name: str, *, tail: int = 100, follow: bool = False) -> AsyncIterator[str]:
        """Yield the instance's output by line (stdout and stderr together), oldest first."""
        ...

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside the instance; return its exit code and its output."""
        ...

    async def signal(self, name: str, signal: str) -> None:
        """Send a signal (``TERM``) to the instance's main process. One that does not run is fine.

        Raises ``UserError`` (``instance_missing``, ``bad_signal``). Whether the runtime itself brings back
        what ends by it is left open (Docker takes it for a stop by hand): ``start`` does.
        """
        ...
