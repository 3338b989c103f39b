"""``bluegreen demo``: the whole story on this machine, told by the commands a user would type.

It sets up a controller of its own, brings the reference stack up, sends users, switches green → blue by
Docker Cloud's two commands and goes back by ``rollback``. Called by the verb ``demo`` only
(:func:`bluegreen.demo.main.run`). Rule of this package: it works from outside, through the command
line and HTTP alone, so that what it shows is what a user gets; and it leaves nothing behind.
"""

FIGURES = """\
switch_ms runs from the start of the command `bluegreen service redeploy lbx` to its end: the start of
the command line, the proof of the new color, the switch, and the wait for the requests in flight on the
old one. first_new_ms runs from the same start to the first answer of the new version that a user has
completely received. mixed_ms is for how long requests that began later still got the old version after
others had begun to get the new one. The way back (`rollback`) is told in the same words under `back`."""
"""What the figures mean; the help of the verb ``demo`` shows it."""
