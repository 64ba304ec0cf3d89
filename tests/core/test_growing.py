"""Lists and maps whose versions share storage."""

import weakref

from outlast.core.growing import Index, Vector


class Thing(str):
    __slots__ = ("__weakref__",)


def test_an_empty_version_keeps_nothing_of_what_was_added_to_it():
    empty, index = Vector[str](), Index()
    thing, value = Thing("a"), Thing("b")
    kept = [weakref.ref(thing), weakref.ref(value)]
    longer, more = empty.extended([thing]), index.added([("key", value)])
    assert (list(longer), more.get("key")) == ([thing], value)
    del longer, more, thing, value
    assert [ref() for ref in kept] == [None, None]
