"""What the keepers of one runtime share: state folder, groups, logs, events, and their ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bluegreen.domain.instance import InstanceSpec
from bluegreen.drivers.runtimes.process.cgroups import ControlGroups
from bluegreen.drivers.runtimes.process.command import Linked
from bluegreen.drivers.runtimes.process.events import Broadcast
from bluegreen.drivers.runtimes.process.logs import Logs
from bluegreen.drivers.runtimes.process.ports import choose_port, is_free
from bluegreen.drivers.runtimes.process.store import Record, Store

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """``records`` returns what is known of every instance at this moment."""

    store: Store
    groups: ControlGroups
    logs: Logs
    records: Callable[[], Iterable[Record]]
    events: Broadcast = field(default_factory=Broadcast)

    def port_for(self, record: Record) -> int:
        """Return the port the instance had, if it is still free, else a new one of its own."""
        name = record.spec.name
        taken = {other.port for other in self.records() if other.port and other.spec.name != name}
        if record.port is not None and record.port not in taken and is_free(HOST, record.port):
            return record.port
        return choose_port(HOST, taken)

    def linked(self, instance: InstanceSpec) -> list[Linked]:
        """Return the instances behind the links of ``instance`` whose address is known, by name."""
        found = []
        living = sorted((r for r in self.records() if not r.ended), key=lambda r: r.spec.name)
        for link in instance.spec.links:
            for record in living:
                target = record.spec
                if (target.stack, target.service) == (instance.stack, link.service) and record.port:
                    exposed = target.spec.port or next(iter(target.spec.expose), record.port)
                    found.append(Linked(alias=link.alias, exposed=exposed, host=HOST, port=record.port))
        return found
