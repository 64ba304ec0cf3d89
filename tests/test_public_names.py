"""What `outlast` exports: the table, the stub and the names that existing programs import."""

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import FunctionType

import pytest

import outlast

sys.path.insert(0, str(Path(__file__).parent))

import public_names as names


@pytest.mark.parametrize("name", sorted(names.table()))
def test_a_public_name_can_be_imported(name: str):
    assert getattr(outlast, name) is getattr(importlib.import_module(names.table()[name]), name)


def test_the_stub_says_what_the_table_says():
    assert names.STUB.read_text() == names.stub_text(), "Run `python tests/public_names.py`."


def test_all_and_dir_list_the_table():
    assert outlast.__all__ == sorted(names.table()) == dir(outlast)


@pytest.mark.parametrize("name", outlast.__all__)
def test_a_public_name_and_its_public_methods_are_documented(name: str):
    value = getattr(outlast, name)
    is_ours = str(getattr(value, "__module__", "")).startswith("outlast")
    if not is_ours or not (inspect.isclass(value) or inspect.isfunction(value)):
        return  # A constant, a type's short name, or somebody else's class.
    assert is_written(value.__doc__, name)
    kinds = (FunctionType, staticmethod, classmethod, property)
    parts = [key for key, one in vars(value).items() if isinstance(one, kinds) and key[0] != "_"]
    bare = [key for key in parts if not is_written(inspect.getdoc(getattr(value, key)), key)]
    assert bare == []


def is_written(text: str | None, name: str) -> bool:
    """Whether somebody wrote a docstring; a dataclass without one gets its signature."""
    return bool(text and text.strip()) and not text.startswith(f"{name}(")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = outlast.Nonsense


def test_upstream_names_are_there_or_known_to_be_absent():
    absent = set(names.words(names.UPSTREAM)) - set(outlast.__all__)
    assert sorted(absent) == names.words(names.ABSENT)


def test_the_version_is_the_package_version():
    pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'version = "{outlast.__version__}"' in pyproject
