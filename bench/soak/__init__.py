"""The soak: minutes of load on a real controller while one fault after the other befalls the instances.

``python -m bench soak`` (:mod:`bench.soak.command`). :mod:`bench.soak.faults` says what happens and when,
:mod:`bench.soak.hands` does it, :mod:`bench.soak.run` waits until all is well again, and
:mod:`bench.soak.figures` and :mod:`bench.soak.page` make the table of it.
"""
