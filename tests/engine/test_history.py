"""What a provider takes as history: nothing twice, no halves of calls."""

import pytest

from outlast.effects.history import paired, unrepeated


def call(key: str, **more: str) -> dict[str, str]:
    return {"type": "function_call", "call_id": key, **more}


def output(key: str, **more: str) -> dict[str, str]:
    return {"type": "function_call_output", "call_id": key, **more}


def thought(key: str, **more: str) -> dict[str, str]:
    return {"type": "reasoning", "id": key, **more}


HI = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([HI, HI], [HI, HI]),
        ([call("1"), output("1"), call("1", id="b")], [call("1", id="b"), output("1")]),
        (
            [output("1", output="old"), call("1"), output("1", output="new")],
            [call("1"), output("1", output="new")],
        ),
        (
            [thought("r"), call("1"), thought("r", text="new")],
            [thought("r", text="new"), call("1")],
        ),
    ],
    ids=["messages may repeat", "a call stays first", "an output stays last", "reasoning"],
)
def test_what_has_an_id_stands_once_as_it_is_last(given: list, expected: list):
    assert unrepeated(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([HI, call("1")], [HI]),
        ([HI, output("1")], [HI]),
        ([thought("r"), call("1"), HI], [HI]),
        ([thought("r"), call("1"), call("2"), output("2")], [thought("r"), call("2"), output("2")]),
        ([HI, thought("r"), HI], [HI, thought("r"), HI]),
    ],
    ids=["call", "output", "its reasoning", "reasoning of a whole call", "lone reasoning"],
)
def test_halves_of_calls_are_left_out(given: list, expected: list):
    assert paired(given, [False] * len(given)) == expected


def test_a_new_call_without_an_output_stays():
    assert paired([call("1"), call("2")], [False, True]) == [call("2")]
