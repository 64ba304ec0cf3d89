"""The local engine's own promises."""

from outlast.core.effects import Effect, Record
from outlast.effects import performers


def test_every_effect_has_somebody_who_performs_it():
    assert set(Effect.__args__) == set(performers._PERFORM) | {Record}
