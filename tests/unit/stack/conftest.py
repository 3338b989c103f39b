"""A folder to write stack files into."""

from pathlib import Path

import pytest

from tests.unit.stack.files import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
