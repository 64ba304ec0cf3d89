"""The offline model, turn by turn: what it calls, with what, and how it ends."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from outlast import Agent, AgentOutputSchema, ModelSettings, ModelTracing, function_tool, handoff
from outlast.definitions.tool_origin import MCPSource
from outlast.models.offline import NOTICE, OfflineModel
from outlast.models.offline_args import Source, filled, instance
from outlast.models.offline_plan import Option, next_calls, read

ORDERS = {"A-1001": {"item": "lamp", "total": 39.9}, "A-1002": {"item": "desk", "total": 120}}
BROKEN_LAMP = "Please refund order A-1001 and check A-1002 too, the lamp arrived broken"


@function_tool
def lookup_order(order_id: str) -> str:
    """Look up an order by its id."""
    return order_id


@function_tool
def refund_order(order_id: str, amount: float, reason: str) -> str:
    """Give money back for an order."""
    return order_id


@function_tool
def cancel_order(order_id: str) -> str:
    """Cancel an order that has not been sent."""
    return order_id


@function_tool
def get_weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> str:
    """The weather in a city."""
    return city


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@function_tool
def search_flights(origin: str, destination: str, date: str) -> str:
    """Find flights."""
    return origin


@function_tool
def book_flight(flight_id: str, passengers: int) -> str:
    """Book a flight."""
    return flight_id


@function_tool
def send_email(to: str, subject: str, body: str, urgent: bool = False) -> str:
    """Send an email."""
    return to


@function_tool
def close_tickets(ticket_ids: list[str]) -> str:
    """Close support tickets."""
    return ",".join(ticket_ids)


DESK = [lookup_order, refund_order, cancel_order]


async def ask(items: str | list[Any], tools: Any = (), handoffs: Any = (), **more: Any) -> Any:
    settings = ModelSettings(tool_choice=more.get("tool_choice"))
    return await OfflineModel().get_response(
        "You help.", items, settings, list(tools), more.get("schema"), list(handoffs),
        ModelTracing.DISABLED, previous_response_id=None, conversation_id=None, prompt=None,
    )  # fmt: skip


def calls_in(response: Any) -> list[tuple[str, Any]]:
    return [(c.name, json.loads(c.arguments)) for c in response.output if c.type == "function_call"]


def desk(name: str, arguments: dict[str, Any]) -> str:
    if name == "lookup_order":
        order = ORDERS.get(arguments["order_id"])
        return json.dumps(order) if order else "Error: no such order."
    return "done"


async def converse(request: str, tools: Any, answer: Any = desk) -> tuple[list[Any], str]:
    """The calls of each turn, and the closing text."""
    items: list[Any] = [{"role": "user", "content": request}]
    turns: list[Any] = []
    while True:
        response = await ask(items, tools)
        if not calls_in(response):
            return turns, response.output[0].content[0].text
        turns.append(calls_in(response))
        for call in response.output:
            output = answer(call.name, json.loads(call.arguments))
            items.append(call.model_dump(exclude_unset=True))
            items.append(
                {"type": "function_call_output", "call_id": call.call_id, "output": output}
            )


async def test_it_looks_orders_up_in_parallel_refunds_the_one_that_was_meant_and_says_so() -> None:
    turns, text = await converse(BROKEN_LAMP, DESK)

    assert turns == [
        [("lookup_order", {"order_id": "A-1001"}), ("lookup_order", {"order_id": "A-1002"})],
        [
            (
                "refund_order",
                {"order_id": "A-1001", "amount": 39.9, "reason": "the lamp arrived broken"},
            )
        ],
    ]
    assert "item lamp" in text
    assert "A-1002" in text
    assert text.endswith(NOTICE)
    assert "offline stand-in, not a language model" in text


async def test_it_hands_off_to_the_agent_whose_words_fit_and_not_twice() -> None:
    refunds = handoff(Agent(name="Refunds agent", handoff_description="Gives money back"))
    shipping = handoff(Agent(name="Shipping agent", handoff_description="Tracks parcels"))
    first = await ask(BROKEN_LAMP, handoffs=[shipping, refunds])
    assert calls_in(first) == [("transfer_to_refunds_agent", {})]

    call = first.output[0]
    items = [
        {"role": "user", "content": BROKEN_LAMP},
        call.model_dump(exclude_unset=True),
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": '{"assistant": "Refunds agent"}',
        },
    ]
    assert not calls_in(await ask(items, handoffs=[shipping, refunds]))


@pytest.mark.parametrize(
    ("request_text", "tools", "expected"),
    [
        (
            "look up orders A-1 and A-2",
            DESK,
            [("lookup_order", {"order_id": "A-1"}), ("lookup_order", {"order_id": "A-2"})],
        ),
        (
            "What's the weather in Tokyo and Paris?",
            [get_weather],
            [
                ("get_weather", {"city": "Tokyo", "unit": "celsius"}),
                ("get_weather", {"city": "Paris", "unit": "celsius"}),
            ],
        ),
        (
            "weather in tokyo in fahrenheit please",
            [get_weather],
            [("get_weather", {"city": "tokyo", "unit": "fahrenheit"})],
        ),
        ("add 2 and 3", [add], [("add", {"a": 2, "b": 3})]),
        (
            "Find flights from Paris to Rome on 2026-02-01",
            [search_flights, book_flight],
            [("search_flights", {"origin": "Paris", "destination": "Rome", "date": "2026-02-01"})],
        ),
        (
            "close tickets T-1, T-2 and T-3",
            [close_tickets],
            [("close_tickets", {"ticket_ids": ["T-1", "T-2", "T-3"]})],
        ),
        ("Hello there", DESK, []),
        ("Don't cancel anything", DESK, []),
    ],
)
async def test_what_is_mentioned_becomes_arguments(
    request_text: str, tools: Any, expected: Any
) -> None:
    assert calls_in(await ask(request_text, tools)) == expected


async def test_an_email_address_is_who_an_email_goes_to() -> None:
    [(name, arguments)] = calls_in(
        await ask('Send an urgent email to bob@example.com saying "see you at 5"', [send_email])
    )
    assert name == "send_email"
    assert arguments["to"] == "bob@example.com"
    assert arguments["body"] == "see you at 5"
    assert arguments["urgent"] is True


async def test_amounts_stay_with_the_orders_they_were_named_with() -> None:
    turns, _ = await converse(
        "Refund $20 for order A-1001 and 10.50 EUR for order A-1002", [refund_order]
    )
    assert [(a["order_id"], a["amount"]) for _, a in turns[0]] == [("A-1001", 20), ("A-1002", 10.5)]


async def test_what_a_search_found_is_used_by_the_next_call() -> None:
    found = json.dumps([{"flight_id": "AF12", "price": 99}])
    turns, _ = await converse(
        "Book a flight from Paris to Rome on 2026-02-01 for 2 people",
        [search_flights, book_flight],
        lambda name, _: found if name == "search_flights" else "booked",
    )
    assert turns[1] == [("book_flight", {"flight_id": "AF12", "passengers": 2})]


async def test_a_failed_lookup_ends_it_without_acting() -> None:
    turns, text = await converse("Refund $5 for order Z-9", DESK)
    assert turns == [[("lookup_order", {"order_id": "Z-9"})]]
    assert "no such order" in text
    assert "did not call refund_order" in text


async def test_a_failing_tool_is_not_called_again() -> None:
    turns, text = await converse(
        "cancel order A-1001", [cancel_order], lambda *_: "An error occurred. Try again."
    )
    assert len(turns) == 1
    assert "An error occurred" in text


async def test_a_follow_up_is_about_the_order_spoken_of_before() -> None:
    items = [
        {"role": "user", "content": "What about order A-1001?"},
        {"role": "assistant", "content": "Order A-1001 is on its way."},
        {"role": "user", "content": "Then cancel it"},
    ]
    assert calls_in(await ask(items, [cancel_order])) == [("cancel_order", {"order_id": "A-1001"})]


async def test_no_call_is_made_where_tool_choice_is_none() -> None:
    assert not calls_in(await ask("look up order A-1", DESK, tool_choice="none"))


async def test_a_named_tool_is_called_whatever_the_words_say() -> None:
    [(name, _)] = calls_in(await ask("Hello", DESK, tool_choice="cancel_order"))
    assert name == "cancel_order"


async def test_call_ids_differ_and_follow_from_the_conversation() -> None:
    one, other = [await ask(BROKEN_LAMP, DESK) for _ in range(2)]
    ids = [call.call_id for call in one.output]
    assert ids == [call.call_id for call in other.output]
    assert len(set(ids)) == 2


class Mood(Enum):
    CALM = "calm"
    ANGRY = "angry"


class Item(BaseModel):
    name: str
    count: int = Field(ge=1, le=9)


class Report(BaseModel):
    order_id: str
    mood: Mood
    is_broken: bool
    score: float = Field(gt=0, lt=1)
    summary: str
    items: list[Item] = Field(min_length=2)
    note: str | None


async def test_structured_output_fits_its_schema_and_takes_what_was_said() -> None:
    schema = AgentOutputSchema(Report)
    response = await ask("I am angry: order A-7 is broken", schema=schema)
    report = schema.validate_json(response.output[0].content[0].text)
    assert report.order_id == "A-7"
    assert report.mood is Mood.ANGRY
    assert report.is_broken is True


async def test_the_stream_is_the_reply_word_by_word() -> None:
    whole = await ask("Hello")
    events = [
        event
        async for event in OfflineModel().stream_response(
            "You help.", "Hello", ModelSettings(), [], None, [], ModelTracing.DISABLED,
        )
    ]  # fmt: skip
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 5
    assert "".join(deltas) == whole.output[0].content[0].text
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_usage_is_counted_in_words() -> None:
    response = await ask("one two three")
    assert response.usage.requests == 1
    assert response.usage.input_tokens == 5  # and two of the instructions
    assert response.usage.total_tokens == 5 + response.usage.output_tokens


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("Read the file note.txt.", ["note.txt"]),
        ("Read Notes.txt and TODO.md", ["Notes.txt", "TODO.md"]),
        ("Read src/outlast/core.py, please", ["src/outlast/core.py"]),
        ("Read ../a/b.json", ["../a/b.json"]),
        ("Read the file in /tmp/some_dir/x-1.csv", ["/tmp/some_dir/x-1.csv"]),
        ("Read the file README", ["README"]),
        ("Read 'my file.txt'", ["my file.txt"]),
        ("Read snake_case", ["snake_case"]),
        ("Ask Ann about plan.md", ["plan.md"]),
    ],
)
def test_a_file_is_named_as_it_was_written(said: str, names: list[str]):
    schema = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
    source = Source(said, busy=frozenset({"read", "file"}))
    assert [call["name"] for call in filled(schema, source).calls] == names
    person = {"properties": {"person": {"type": "string"}}, "required": ["person"]}
    if "Ann" in said:
        assert filled(person, source).calls == [{"person": "Ann"}]


ODD: list[Any] = [
    {"$ref": "#/properties/a"},
    {"anyOf": [{"$ref": "#/properties/a"}]},
    {"allOf": [{"$ref": "#"}]},
    {"$ref": "#"},
    {"$ref": "#/no/where"},
    {"$ref": "https://example.test/schema"},
    {"type": "array", "items": {"$ref": "#/properties/a"}},
    {"type": "object", "properties": {"b": {"$ref": "#/properties/a"}}, "required": ["b"]},
    {"type": "array", "items": [{"type": "string"}]},
    {"type": "array", "items": True},
    {"enum": 5},
    {"anyOf": [True]},
    True,
    5,
]


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_a_schema_that_leads_back_to_itself_or_is_none_ends_no_run(odd: Any):
    schema = {"type": "object", "properties": {"a": odd}, "required": ["a"]}
    done = filled(schema, Source("Please do 5 'things'"))
    assert len(done.calls) + len(done.missing) >= 1
    json.dumps(instance(schema, Source("Please do 5 'things'"), "prose"))


ORDERS_OF_ACTS = [
    ("Write 'x' into note.txt", "write_file", True),
    ("Could you delete note.txt?", "delete_note", True),
    ("Delete note.txt. Is it gone?", "delete_note", True),
    ("Is there a file about tea? Look into note.txt", "write_file", False),
    ("Who created note.txt, and when did he edit it?", "edit_file", False),
    ("List the directory", "create_directory", False),
    ("Do not delete note.txt", "delete_note", False),
]


@pytest.mark.parametrize(("said", "name", "is_called"), ORDERS_OF_ACTS)
@pytest.mark.parametrize("is_read_only", [None, False])
def test_a_tool_of_somebody_elses_server_that_may_change_something_is_called_on_order_only(
    said: str, name: str, is_called: bool, is_read_only: bool | None
):
    source = MCPSource("files", name, "", is_read_only)
    schema = {"type": "object", "properties": {}}
    option = Option(name, "Works on a file, a note or a directory.", schema, source=source)
    calls, _ = next_calls(read(said), [option])
    assert bool(calls) == is_called


class Node(BaseModel):
    value: int
    left: Node | None
    others: list[Node]


def test_an_output_that_contains_itself_fits_its_schema():
    made = instance(Node.model_json_schema(), Source("Take 5"), "prose")
    assert Node.model_validate(made).others


@pytest.mark.parametrize(
    ("request_", "told", "is_called"),
    [
        ("Cancel order A-1", "Cancel an order.", True),
        ("Do not cancel order A-1", "Cancel an order.", False),
        ("Where is order A-1?", "Cancel an order.", False),
        ("Tell me of order A-1", "Tell the customer of an order.", False),
    ],
)
def test_a_tool_acts_on_what_its_description_begins_with(request_: str, told: str, is_called: bool):
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    calls, _ = next_calls(read(request_), [Option("g", told, schema)])
    assert bool(calls) is is_called
