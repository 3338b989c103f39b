"""The async shell around the domain: observe → decide → record → act.

One loop per service, woken by events, never a global poll. Knows ports and domain only; the objects
are wired together in :mod:`bluegreen.server`.
"""
