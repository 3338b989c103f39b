"""The controller of paper that the tests of the command line have, too."""

from tests.unit.cli.conftest import controller, home

__all__ = ["controller", "home"]
