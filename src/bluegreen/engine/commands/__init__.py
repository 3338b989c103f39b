"""What people may ask for: one module per noun, one function per verb, each takes the engine.

A command checks, records what is wanted and wakes the loops; the loops do the work. Commands of one
stack are taken one at a time.
"""
