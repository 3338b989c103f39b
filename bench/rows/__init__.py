"""One module per line of the table; each has ``measure() -> Row``.

A row raises :class:`bench.row.NotMeasured` where something it needs is missing. ``ORDER`` is the order
in which they are run and shown.
"""

ORDER = (
    "switch",
    "deploys",
    "deploy",
    "death",
    "hands",
    "registry",
    "crowd",
    "watched",
    "throughput",
    "help",
    "command",
    "peers",
    "nginx",
)
