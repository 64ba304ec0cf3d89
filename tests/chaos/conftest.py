"""Makes the kit importable, and one warm process for all tests here."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chaoskit.harness import Warm, folder


@pytest.fixture(scope="session")
def warm():
    process = Warm()
    yield process
    process.close()


@pytest.fixture
def place():
    """A folder for one run."""
    with folder() as made:
        yield made
