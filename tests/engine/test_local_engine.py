"""The local engine's own promises."""

from holdfast.core.effects import Effect, Record
from holdfast.engine import local


def test_every_effect_has_somebody_who_performs_it():
    assert set(Effect.__args__) == set(local._PERFORM) | {Record}
