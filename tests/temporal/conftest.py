"""Everything here talks to a real Temporal server."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "chaos")]


@pytest.fixture(scope="session")
def address() -> str:
    found = os.environ.get("TEMPORAL_ADDRESS")
    if not found:
        required = os.environ.get("OUTLAST_REQUIRE", "").split(",")
        if {"all", "temporal"} & {*required}:
            pytest.fail("There is no Temporal server: `python3 tests/services.py up temporal`.")
        pytest.skip('start one: eval "$(python3 tests/services.py env)"')
    return found
