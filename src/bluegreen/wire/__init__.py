"""How the controller's API is spoken from outside: addresses, connections, calls, event streams.

Used by the command line and by :mod:`bluegreen.client`. Needs nothing but the standard library and the errors
of the domain, so that a verb starts fast.
"""
