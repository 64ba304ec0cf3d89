"""Python's types as parameters of strict tools: OpenAI takes the schema, and the value arrives."""

import collections
import datetime as dt
import decimal
import enum
import ipaddress
import json
import pathlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, Json, RootModel, SecretStr

from outlast import Agent, AgentOutputSchema, RunConfig, Runner, UserError, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    name: str


class Row(TypedDict):
    id: int
    note: NotRequired[str]


@dataclass
class Size:
    width: int
    unit: str = "cm"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Tree(BaseModel):
    value: int
    children: "list[Tree]" = []


class Page(BaseModel, Generic[T]):
    items: list[T]


class Mixed(enum.Enum):
    TEXT = "text"
    ONE = 1


class Tone(enum.StrEnum):
    SOFT = "soft"


class File(BaseModel):
    name: str
    inside: "Folder | None" = None


class Folder(BaseModel):
    files: list[File] = []


@dataclass
class Box:
    size: Size
    spare: Size | None = None


class Loose(TypedDict, total=False):
    id: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Names(RootModel[list[str]]):
    pass


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
DAY = "2026-01-02"
ID = "12345678-1234-5678-1234-567812345678"

TYPES: dict[str, tuple[Any, Any, Any]] = {
    "tuple": (tuple[int, str], [1, "a"], (1, "a")),
    "tuple of one kind": (tuple[float, float], [1.5, 2.0], (1.5, 2.0)),
    "tuple of tuples": (tuple[tuple[int, str], bool], [[1, "a"], True], ((1, "a"), True)),
    "tuple of models": (
        tuple[Cat, int],
        [{"kind": "cat", "lives": 9}, 1],
        (Cat(kind="cat", lives=9), 1),
    ),
    "tuple without end": (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    "tuple without items": (tuple[()], [], ()),
    "optional tuple": (tuple[int, str] | None, [1, "a"], (1, "a")),
    "list of tuples": (list[tuple[int, str]], [[1, "a"]], [(1, "a")]),
    "set": (set[int], [1, 2, 2], {1, 2}),
    "frozenset": (frozenset[str], ["a"], frozenset({"a"})),
    "sequence": (Sequence[int], [1], [1]),
    "union": (int | str, "a", "a"),
    "union of models": (Cat | Dog, {"kind": "dog", "name": "Rex"}, Dog(kind="dog", name="Rex")),
    "labelled union": (Pet, {"kind": "cat", "lives": 9}, Cat(kind="cat", lives=9)),
    "literal": (Literal["a", 1], "a", "a"),
    "enum": (Color, "red", Color.RED),
    "integer enum": (Level, 1, Level.LOW),
    "datetime": (dt.datetime, f"{DAY}T03:04:05", dt.datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001
    "date": (dt.date, DAY, dt.date(2026, 1, 2)),
    "time": (dt.time, "03:04:05", dt.time(3, 4, 5)),
    "timedelta": (dt.timedelta, "PT5S", dt.timedelta(seconds=5)),
    "uuid": (uuid.UUID, ID, uuid.UUID(ID)),
    "decimal": (decimal.Decimal, "1.50", decimal.Decimal("1.50")),
    "bytes": (bytes, "abc", b"abc"),
    "path": (pathlib.Path, "a/b", pathlib.Path("a/b")),
    "url": (AnyUrl, "https://a.example/", AnyUrl("https://a.example/")),
    "named tuple": (Point, [1, "a"], Point(1, "a")),
    "typed dict": (Row, {"id": 1, "note": "n"}, {"id": 1, "note": "n"}),
    "dataclass": (Size, {"width": 1, "unit": "m"}, Size(1, "m")),
    "recursive model": (
        Tree,
        {"value": 1, "children": [{"value": 2, "children": []}]},
        Tree(value=1, children=[Tree(value=2)]),
    ),
    "generic model": (Page[int], {"items": [1]}, Page[int](items=[1])),
    "root model": (Names, ["a"], Names(["a"])),
    "bounds": (Annotated[int, Field(ge=1, le=5)], 3, 3),
    "list bounds": (Annotated[list[int], Field(min_length=1, max_length=2)], [1], [1]),
    "anything": (Any, ["a", 1, None], ["a", 1, None]),
    "optional anything": (Any | None, 1.5, 1.5),
    "described anything": (Annotated[Any, Field(description="It.")], True, True),
    "bare list": (list, [1, "a", [None]], [1, "a", [None]]),
    "list of anything": (list[Any], ["a", 2], ["a", 2]),
    "list of bare lists": (list[list], [[1], ["a"]], [[1], ["a"]]),
    "bare tuple": (tuple, [1, "a"], (1, "a")),
    "bare set": (set, [1, 1], {1}),
    "optional bare list": (list | None, None, None),
    "deque": (collections.deque[int], [1], collections.deque([1])),
    "literal of several types": (Literal["a", 1, True] | None, None, None),
    "enum of several types": (Mixed, 1, Mixed.ONE),
    "text enum": (Tone, "soft", Tone.SOFT),
    "nothing": (None, None, None),
    "optional": (int | None, None, None),
    "union with null inside": (list[int | None], [1, None], [1, None]),
    "union of containers": (list[int] | str, "a", "a"),
    "mutually recursive models": (
        Folder,
        {"files": [{"name": "a", "inside": None}]},
        Folder(files=[File(name="a")]),
    ),
    "dataclass in a dataclass": (
        Box,
        {"size": {"width": 1, "unit": "m"}, "spare": None},
        Box(Size(1, "m")),
    ),
    "typed dict without required keys": (Loose, {"id": 1}, {"id": 1}),
    "model with defaults": (
        Page[Size],
        {"items": [{"width": 2, "unit": "cm"}]},
        Page[Size](items=[Size(2)]),
    ),
    "examples": (Annotated[int, Field(examples=[1, 2])], 2, 2),
    "secret": (SecretStr, "a", SecretStr("a")),
    "json in a text": (Json, "[1]", [1]),
    "address": (ipaddress.IPv4Address, "127.0.0.1", ipaddress.IPv4Address("127.0.0.1")),
    "network": (ipaddress.IPv4Network, "10.0.0.0/8", ipaddress.IPv4Network("10.0.0.0/8")),
    "exclusive bounds": (Annotated[float, Field(gt=0, lt=2, multiple_of=0.5)], 1.5, 1.5),
    "text bounds": (Annotated[str, Field(min_length=1, max_length=3)], "ab", "ab"),
    "pattern": (Annotated[str, Field(pattern="^a+$")], "aa", "aa"),
}


def tool_of(kind: Any, heard: list[Any]) -> Any:
    def note(value: Any) -> str:
        heard.append(value)
        return "noted"

    note.__annotations__["value"] = kind
    return function_tool(note)


@pytest.mark.parametrize("name", TYPES)
def test_openai_takes_the_strict_schema_of_a_type(name: str):
    schema = tool_of(TYPES[name][0], []).params_json_schema
    assert schema["type"] == "object"
    assert list(refusals(schema, "")) == []


@pytest.mark.parametrize("name", TYPES)
async def test_the_value_arrives_as_its_type(name: str):
    kind, sent, value = TYPES[name]
    heard: list[Any] = []
    script = [[function_call("note", {"value": sent}, call_id="1")], [assistant_message("done")]]
    clerk = Agent(name="Clerk", model=ScriptedModel(script), tools=[tool_of(kind, heard)])
    await Runner.run(clerk, "hi", run_config=RunConfig(journal="off"))
    assert heard == [value]
    assert type(heard[0]) is type(value)


@pytest.mark.parametrize("name", TYPES)
def test_openai_takes_the_strict_schema_of_a_type_as_an_output(name: str):
    kind, sent, value = TYPES[name]
    output = AgentOutputSchema(kind)
    if output.is_plain_text():
        return
    schema = output.json_schema()
    assert schema["type"] == "object"
    assert list(refusals(schema, "")) == []
    body = {"response": sent} if "response" in schema["properties"] else sent
    assert output.validate_json(json.dumps(body)) == value


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (dict, "Parameter 'value'"),
        (collections.Counter[str], "Parameter 'value'"),
        (Open, "Type 'Open'"),
        (list[Open], "Type 'Open'"),
    ],
)
def test_a_refusal_names_the_parameter_or_the_type_at_fault(kind: Any, part: str):
    with pytest.raises(UserError, match=f"^{part} of (tool|function) '?note'? has no"):
        tool_of(kind, [])


def test_a_type_that_has_no_schema_is_refused_by_name():
    with pytest.raises(UserError, match=r"^Parameter 'value' of function note is annotated with"):
        tool_of(Callable[[int], int], [])


async def test_a_tuple_in_the_wrong_order_is_explained_to_the_model():
    heard: list[Any] = []
    tool = tool_of(tuple[int, str], heard)
    script = [
        [function_call("note", {"value": ["a", 1]}, call_id="1")],
        [function_call("note", {"value": [1, "a"]}, call_id="2")],
        [assistant_message("done")],
    ]
    clerk = Agent(name="Clerk", model=ScriptedModel(script), tools=[tool])
    result = await Runner.run(clerk, "hi", run_config=RunConfig(journal="off"))
    assert heard == [(1, "a")]
    assert "value.0: expected a valid integer" in str(result.to_input_list())


def test_a_tuple_says_its_order_in_words():
    schema = tool_of(Annotated[tuple[int, str], "Where."], []).params_json_schema
    text = schema["properties"]["value"]["description"]
    assert text == "Where. Items in this order: integer, string."


@pytest.mark.parametrize("kind", [dict[str, int], dict[str, Any], list[dict[str, int]]])
def test_an_open_object_is_refused_where_the_tool_is_made(kind: Any):
    with pytest.raises(UserError, match="strict"):
        tool_of(kind, [])


# --- What OpenAI's documentation says of strict schemas. -------------------------------------

KEYWORDS = frozenset({
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "description",
    "discriminator", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems",
    "maxLength", "maximum", "minItems", "minLength", "minimum", "multipleOf", "pattern",
    "properties", "required", "title", "type",
})  # fmt: skip
FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip


def refusals(node: Any, path: str) -> Any:
    """What OpenAI would refuse of a strict schema, with where it is."""
    rules = {
        f"keywords {node.keys() - KEYWORDS}": not node.keys() - KEYWORDS,
        "must have a type": node.keys() & {"type", "$ref", "anyOf", "enum", "const"},
        "array schema missing items": node.get("type") != "array" or node.get("items"),
        "format": node.get("format", "date") in FORMATS,
        "lookaround": "(?" not in node.get("pattern", ""),
        "additionalProperties must be false": node.get("type") != "object"
        or node.get("additionalProperties") is False,
        "required must list all properties": node.get("type") != "object"
        or node.get("required") == list(node.get("properties", {})),
    }
    yield from (f"{path}: {rule}" for rule, holds in rules.items() if not holds)
    parts = [*node.get("properties", {}).items(), *node.get("$defs", {}).items()]
    parts += enumerate(node.get("anyOf", []))
    parts += [("items", node["items"])] if "items" in node else []
    for name, each in parts:
        yield from refusals(each, f"{path}/{name}")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
        {"type": "array"},
        {"type": "string", "format": "binary"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"anyOf": [{"type": "object", "properties": {}, "required": []}]},
        {},
    ],
)
def test_the_check_refuses_what_openai_refuses(schema: dict[str, Any]):
    assert list(refusals(schema, ""))
