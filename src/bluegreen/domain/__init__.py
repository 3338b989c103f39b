"""The rules, as pure values and functions.

Nothing in this package performs I/O, reads a clock, logs, or awaits. Everything here can be
tested with a table of inputs and outputs. Imports only the standard library and itself.
"""
