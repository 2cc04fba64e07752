"""One program for the direct side, one zygote and one model for all crews."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crews.model import Model
from tests.crews.sides import Sides
from tests.worker.harness import Zygote, clean_environment


@pytest.fixture(scope="session")
def _sides() -> Iterator[Sides]:
    with Model() as model, Zygote(clean_environment()) as zygote, Sides(zygote, model) as sides:
        yield sides


@pytest.fixture
def sides(_sides: Sides) -> Sides:
    """Whose model has been asked nothing yet."""
    _sides.model.requests.clear()
    return _sides
