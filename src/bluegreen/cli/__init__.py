"""The command line: thin verbs that parse, call the controller's API and print.

Rule of the package: what a verb does not need is not imported. Modules of verbs are found through
:mod:`bluegreen.cli.catalog` and loaded when their verb is called; rich is imported by the functions
that draw; nothing on the way of ``switch`` or ``status`` imports pydantic or asyncio.
"""
