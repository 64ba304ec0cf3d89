"""Docstrings of all styles, as people write them."""

import pytest

from outlast.definitions.docstrings import generate_func_documentation, guessed_style

GOOGLE = "Look up.\n\nArgs:\n    city: Where.\n        Exactly.\n    *days: When.\n"
NUMPY = "Look up.\n\nParameters\n----------\ncity : str\n    Where.\n    Exactly.\n*days : int\n    When.\n"
SPHINX = "Look up.\n\n:param city: Where.\n    Exactly.\n:param days: When.\n"


def documented(doc: str):
    def f(city: str, *days: int) -> None: ...

    f.__doc__ = doc
    return generate_func_documentation(f)


@pytest.mark.parametrize(
    ("doc", "style"), [(GOOGLE, "google"), (NUMPY, "numpy"), (SPHINX, "sphinx")]
)
def test_each_style_is_recognised_and_read(doc: str, style: str):
    assert guessed_style(doc) == style
    found = documented(doc)
    assert found.description == "Look up."
    assert found.param_descriptions == {"city": "Where.\nExactly.", "days": "When."}


def test_args_need_no_blank_line_before_them():
    assert documented("Look up.\nArgs:\n    city: Where.").param_descriptions == {"city": "Where."}


def test_args_need_no_summary_before_them():
    found = documented("\n    Args:\n        city: Where.\n    ")
    assert (found.description, found.param_descriptions) == (None, {"city": "Where."})


@pytest.mark.parametrize("doc", ["One line.", "Two\nlines with: a colon."])
def test_text_without_sections_is_the_description(doc: str):
    assert documented(doc).description == doc


def test_no_docstring_says_nothing():
    found = documented("")
    assert (found.name, found.description, found.param_descriptions) == ("f", None, None)
