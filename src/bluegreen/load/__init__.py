"""The load client: what users would have noticed of a release, measured from outside.

``bluegreen demo``, the end-to-end tests and ``bench/`` drive it against a balancer while traffic is
switched. Rule of this package: it knows nothing of bluegreen (no import from it, standard library
only), so that it can neither be wrong in the same way as what it judges nor be slowed down by it.
Run it in its own process (:class:`~bluegreen.load.remote.LoadProcess`, ``python -m bluegreen.load``).
"""

from bluegreen.load.plan import LoadError, Plan
from bluegreen.load.remote import LoadProcess
from bluegreen.load.result import Edge, Failure, Kind, Mark, Outcome, Progress, Result, Sample
from bluegreen.load.session import LoadSession

__all__ = [
    "Edge",
    "Failure",
    "Kind",
    "LoadError",
    "LoadProcess",
    "LoadSession",
    "Mark",
    "Outcome",
    "Plan",
    "Progress",
    "Result",
    "Sample",
]
