"""Logs for properties: those of releases, those of a made-up world, and events in any order."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import msgspec
from hypothesis import strategies as st
from world import World, play

from outlast.core.events import Event, GuardrailNames, RunAcquired
from outlast.core.stored import Stored

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("v*.jsonl"))


def golden(file: Path) -> list[Event]:
    """Return the events of a golden log."""
    bodies = [msgspec.json.decode(line)[6] for line in file.read_text().splitlines()]
    appends = [msgspec.json.decode(base64.b64decode(body), type=list[Event]) for body in bodies]
    return [event for events in appends for event in events]


def stored(events: list[Event]) -> list[Stored]:
    """Give each event its place; whoever takes the run over writes under a new epoch."""
    log, epoch = [], 1
    for seq, event in enumerate(events):
        epoch += isinstance(event, RunAcquired)
        log.append(Stored(seq, float(seq), epoch, event))
    return log


def _played(seed: int, crashes: float, trips: bool) -> list[Event]:
    world = World(seed, {"session": seed % 2 == 0}, GuardrailNames(("g",), ("h",)), trips)
    return play(world, order=random.Random(seed), crashes=crashes)


def _shuffled(seed: int) -> list[Event]:
    dice = random.Random(seed)
    return dice.choices(_EVENTS, k=dice.randint(1, 30))


_EVENTS = [event for file in GOLDEN for event in golden(file)]
_seeds = st.integers(0, 2**32)
PLAYED = st.builds(_played, _seeds, st.sampled_from([0.0, 0.1]), st.booleans())
ANY_LOG = PLAYED | st.builds(_shuffled, _seeds) | st.sampled_from([golden(file) for file in GOLDEN])
