"""Names that are imported when they are asked for, and not while their module is being loaded."""

import sys
from types import ModuleType

import pytest

from outlast.definitions.pydantic_support import imported_later


def test_a_name_is_not_there_before_its_module_is_loaded(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("lately")
    monkeypatch.setitem(sys.modules, "lately", module)
    module.__spec__ = type("Spec", (), {"_initializing": True})()  # as importlib marks it
    module.__getattr__ = imported_later("lately", "json", {"dumps"})
    assert not hasattr(module, "dumps")
    module.__spec__._initializing = False
    assert module.dumps({}) == "{}"
    assert not hasattr(module, "loads")
