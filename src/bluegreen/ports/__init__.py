"""What the engine needs from the outside world, as small Protocols.

A driver implements one of them and is proved by the contract suite of the same name in
:mod:`bluegreen.testing`. No Protocol has more than six methods. Every method may raise only the
errors of :mod:`bluegreen.domain.errors`; what a driver's library raises is translated at the
driver's boundary.
"""
