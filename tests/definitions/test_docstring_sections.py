"""What each docstring style may say of a parameter reaches the model, in whatever section it stands."""

import pytest

from outlast import function_tool

BODIES = {
    "Google, Args": "Find.\n\nArgs:\n    query: Words.\n    limit: The most.",
    "Google, Keyword Args": "Find.\n\nArgs:\n    query: Words.\n\nKeyword Args:\n    limit: The most.",
    "Google, Keyword Arguments": (
        "Find.\n\nArguments:\n    query: Words.\n\nKeyword Arguments:\n    limit (int): The most."
    ),
    "Google, Other Parameters": (
        "Find.\n\nParameters:\n    query: Words.\n\nOther Parameters:\n    limit: The most."
    ),
    "Google, without blank lines": (
        "Find.\nArgs:\n    query: Words.\nKeyword Args:\n    limit: The most."
    ),
    "NumPy, Parameters": (
        "Find.\n\nParameters\n----------\nquery : str\n    Words.\nlimit : int\n    The most."
    ),
    "NumPy, Other Parameters": (
        "Find.\n\nParameters\n----------\nquery : str\n    Words.\n\n"
        "Other Parameters\n----------------\nlimit : int, optional\n    The most."
    ),
    "Sphinx, param": "Find.\n\n:param query: Words.\n:param int limit: The most.",
    "Sphinx, keyword": "Find.\n\n:param query: Words.\n:keyword limit: The most.",
}


@pytest.mark.parametrize("style", BODIES)
def test_a_parameter_is_described_in_whatever_section_it_stands(style: str):
    def find(query: str, *, limit: int = 10) -> str:
        return query

    find.__doc__ = BODIES[style]
    tool = function_tool(find)
    properties = tool.params_json_schema["properties"]
    assert tool.description == "Find."
    assert {name: each.get("description") for name, each in properties.items()} == {
        "query": "Words.", "limit": "The most.",
    }  # fmt: skip
