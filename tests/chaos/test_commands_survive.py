"""Commands survive whoever posts them and whoever takes them."""

import random

import pytest
from commands import rounds


@pytest.mark.slow
def test_what_was_acknowledged_is_taken_once_whoever_is_killed():
    seed = random.SystemRandom().randrange(10**6)
    played, killed, problems = rounds(seed, 60, seconds=60)
    print(f"seed {seed}: {played} rounds, {killed} processes killed")
    assert problems == []
    assert killed
