"""Arguments that are nearly right are repaired where they can mean one thing; others are explained."""

import enum
import json
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, field_validator

from outlast import Agent, ModelBehaviorError, RunConfig, Runner, function_tool, handoff
from outlast.testing import ScriptedModel, assistant_message, function_call


async def told(tool, text):
    """What the model is told of a call of ``tool`` with the arguments ``text``."""
    call = function_call(tool.name, text, call_id="1")
    agent = Agent(name="A", tools=[tool], model=ScriptedModel([[call], [assistant_message("ok")]]))
    result = await Runner.run(agent, "hi", run_config=RunConfig(journal="off"))
    return result.new_items[1].output


class Address(BaseModel):
    street: str
    floor: int = 0


@dataclass
class Size:
    width: int


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Order(BaseModel):
    address: Address
    sizes: list[Size] = []


@function_tool
def order(order: Order) -> str:
    return f"{order.address.street} {[each.width for each in order.sizes]}"


@function_tool
def tags(tags: list[str]) -> str:
    return "+".join(tags)


@function_tool
def count(count: int, limit: int = 5) -> str:
    return f"{count} {limit}"


@function_tool
def nothing() -> str:
    return "done"


@function_tool
def text(text: str) -> str:
    return text


@function_tool
def either(value: str | list[int]) -> str:
    return repr(value)


@function_tool
def home(address: Address | None = None) -> str:
    return "nowhere" if address is None else address.street


HOME = {"street": "Main"}
REPAIRED = [
    (tags, {"tags": '["a", "b"]'}, "a+b"),
    (order, {"order": json.dumps({"address": HOME})}, "Main []"),
    (
        order,
        {"order": {"address": json.dumps(HOME), "sizes": [json.dumps({"width": 2})]}},
        "Main [2]",
    ),
    (order, {"order": json.dumps({"address": json.dumps(HOME)})}, "Main []"),
    (home, {"address": json.dumps(HOME)}, "Main"),
    (home, {}, "nowhere"),
    (count, {"count": 1, "limit": None}, "1 5"),
    (count, {"count": "3"}, "3 5"),
    (count, {"count": 3.0}, "3 5"),
    (count, {"count": 1, "more": True}, "1 5"),
    (count, json.dumps(json.dumps({"count": 1})), "1 5"),
    (count, '```json\n{"count": 1}\n```', "1 5"),
    (text, '{"text": "a\nb"}', "a\nb"),
    *[(nothing, sent, "done") for sent in ("", " ", "{}", "null", '""', '"{}"', '{"x": 1}')],
]


@pytest.mark.parametrize(("tool", "sent", "expected"), REPAIRED)
async def test_what_can_mean_one_thing_only_is_taken_for_it(tool, sent, expected):
    assert await told(tool, sent if isinstance(sent, str) else json.dumps(sent)) == expected


UNTOUCHED = [
    (text, {"text": '{"a": 1}'}, '{"a": 1}'),
    (text, {"text": "null"}, "null"),
    (either, {"value": "[1, 2]"}, "'[1, 2]'"),
    (tags, {"tags": ["[1]"]}, "[1]"),
]


@pytest.mark.parametrize(("tool", "sent", "expected"), UNTOUCHED)
async def test_what_fits_is_never_changed(tool, sent, expected):
    assert await told(tool, json.dumps(sent)) == expected


class Card(BaseModel):
    number: str

    @field_validator("number")
    @classmethod
    def is_known(cls, value):
        raise ValueError(f"no such card: {value}")


@function_tool
def odd(  # noqa: PLR0913  # one of each kind
    when: date = date(2020, 1, 1),
    key: UUID | None = None,
    colour: Colour = Colour.RED,
    how: Literal["fast", "slow"] = "fast",
    few: Annotated[int, Field(ge=1, le=5)] = 1,
    code: Annotated[str, Field(pattern=r"^\d+$")] = "1",
    pair: tuple[int, int] = (1, 2),
    card: Card | None = None,
) -> str:
    return "done"


SECRET = "hunter2"
EXPLAINED = [
    (count, {"count": SECRET}, ["count", "integer", "text of 7 characters"]),
    (count, {"count": None}, ["count", "integer", "null"]),
    (count, {"count": [SECRET]}, ["count", "integer", "list of 1"]),
    (count, {"count": {SECRET: SECRET}}, ["count", "integer", "object of 1 fields"]),
    (count, {}, ["count", "missing"]),
    (count, [SECRET], ["JSON object", "list of 1"]),
    (count, f'{{"count": {SECRET}', ["not JSON", "character"]),
    (tags, {"tags": SECRET}, ["tags", "list", "text of 7 characters"]),
    (tags, {"tags": [1]}, ["tags.0", "string", "integer"]),
    (order, {"order": {"address": {"street": 3}}}, ["order.address.street", "string", "integer"]),
    (order, {"order": SECRET}, ["order", "dictionary", "text of 7 characters"]),
    (odd, {"when": SECRET}, ["when", "date", "text of 7"]),
    (odd, {"key": SECRET}, ["key", "UUID", "text of 7"]),
    (odd, {"colour": SECRET}, ["colour", "'red'", "'blue'", "text of 7"]),
    (odd, {"how": SECRET}, ["how", "'fast'", "'slow'", "text of 7"]),
    (odd, {"few": 9}, ["few", "5", "integer"]),
    (odd, {"code": SECRET}, ["code", "pattern", "text of 7"]),
    (odd, {"card": {"number": SECRET}}, ["card.number", "check"]),
]


@pytest.mark.parametrize(("tool", "sent", "words"), EXPLAINED)
async def test_the_model_is_told_which_argument_is_wrong_and_how_and_not_what_it_sent(
    tool, sent, words
):
    answer = await told(tool, sent if isinstance(sent, str) else json.dumps(sent))
    assert answer.startswith("An error occurred while running the tool. Please try again.")
    for word in words:
        assert word in answer
    assert SECRET not in answer
    assert len(answer) < 400


async def test_an_explanation_has_an_end():
    tool = function_tool(lambda items: "", name_override="many", strict_mode=False)
    assert tool

    @function_tool
    def numbers(items: list[int]) -> str:
        raise NotImplementedError

    answer = await told(numbers, json.dumps({"items": ["x"] * 100}))
    assert "95 more" in answer
    assert len(answer) < 700


async def test_an_author_who_words_failures_words_these_too():
    tool = function_tool(
        lambda count: "",
        name_override="own",
        strict_mode=False,
        failure_error_function=lambda *_: "no",
    )
    assert await told(tool, "[]") == "no"


async def test_the_error_says_to_programs_what_the_model_is_told():
    @function_tool(failure_error_function=None)
    def strict(count: int) -> str:
        raise NotImplementedError

    with pytest.raises(ModelBehaviorError) as caught:
        await told(strict, json.dumps({"count": SECRET}))
    assert "count: expected a valid integer" in caught.value.explanation
    assert SECRET not in caught.value.explanation


# --- The same for agents used as tools, and for handoffs. -----------------------------------


class Task(BaseModel):
    subject: str
    sizes: list[int] = []


def worker():
    return Agent(name="Worker", model=ScriptedModel([[assistant_message("worked")]]))


AS_TOOL = [
    (None, '{"input": "do"}', "worked"),
    (None, '"do"', "worked"),
    (None, json.dumps(json.dumps({"input": "do"})), "worked"),
    (Task, {"subject": "x", "sizes": "[1, 2]"}, "worked"),
    (Task, json.dumps(json.dumps({"subject": "x"})), "worked"),
    (None, {"input": 3}, "input: expected a valid string, got an integer"),
    (None, {}, "input: is missing"),
    (Task, {"subject": None}, "subject: expected a valid string, got null"),
]


@pytest.mark.parametrize(("kind", "sent", "expected"), AS_TOOL)
async def test_arguments_of_an_agent_that_is_a_tool(kind, sent, expected):
    tool = worker().as_tool("work", "Works.", parameters=kind)
    assert expected in await told(tool, sent if isinstance(sent, str) else json.dumps(sent))


@pytest.mark.parametrize(
    "sent",
    [
        '{"subject": "x", "sizes": [1]}',
        json.dumps(json.dumps({"subject": "x", "sizes": [1]})),
        '{"subject": "x", "sizes": "[1]"}',
        '```json\n{"subject": "x", "sizes": [1]}\n```',
    ],
)
async def test_arguments_of_a_handoff_are_repaired(sent):
    came = []
    passed = handoff(worker(), on_handoff=lambda _, task: came.append(task), input_type=Task)
    await passed.on_invoke_handoff(None, sent)
    assert came == [Task(subject="x", sizes=[1])]


async def test_wrong_arguments_of_a_handoff_are_explained():
    passed = handoff(worker(), on_handoff=lambda _, task: None, input_type=Task)
    with pytest.raises(ModelBehaviorError, match="Invalid JSON") as caught:
        await passed.on_invoke_handoff(None, json.dumps({"subject": [SECRET]}))
    assert caught.value.explanation == "subject: expected a valid string, got a list of 1"
