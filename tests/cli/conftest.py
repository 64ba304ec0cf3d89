"""Makes the helpers beside the tests, and the logs of the views' and the core's tests, importable."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(_TESTS / "views"), str(_TESTS / "core")]
