"""Benchmarks: the bars of the design, measured as ratios within one run on one machine.

``python -m bench`` runs the rows in :mod:`bench.rows` one after the other and prints their table;
``--write`` also generates ``docs/explanation/performance.md``. Absolute times of two machines, or of
one noisy machine at two moments, say nothing about each other: each row therefore measures what it
compares with in the same run, in alternating rounds, and reports the spread.
"""
