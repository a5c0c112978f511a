"""A stack to break things in."""

from collections.abc import Iterator

import pytest

from tests.delivery.faulty import FaultyStack, faulty_stack


@pytest.fixture(scope="package")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    with faulty_stack(tmp_path_factory.mktemp("faulty")) as running:
        yield running
