"""The sample application, started and ended for a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sample_app import Sample, Start


@pytest.fixture
def start() -> Iterator[Start]:
    samples: list[Sample] = []

    def one(*arguments: str) -> Sample:
        samples.append(Sample(*arguments))
        return samples[-1]

    yield one
    for sample in samples:
        sample.process.kill()
        sample.process.communicate()
