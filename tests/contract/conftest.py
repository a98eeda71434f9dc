"""Every test of the contract runs on every back end."""

from pathlib import Path

import pytest

from tests.contract.places import PLACES, Place
from tests.contract.places import place as make_place


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind."""
    return make_place(request.param, str(tmp_path))
