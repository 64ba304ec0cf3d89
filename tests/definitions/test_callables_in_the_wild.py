"""Every way to write a function that becomes a tool: it works, or is refused where it is defined."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired

import pytest
import typing_extensions
from pydantic import BaseModel

from outlast import Agent, RunConfig, Runner, ToolContext, UserError, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call

if TYPE_CHECKING:
    from app.shops import Order, Shop

    from outlast import RunContextWrapper


async def answer(tool, arguments, **options):
    """What the model is told of one call of ``tool`` in a run."""
    call = function_call(tool.name, arguments, call_id="1")
    agent = Agent(name="A", tools=[tool], model=ScriptedModel([[call], [assistant_message("ok")]]))
    result = await Runner.run(agent, "hi", run_config=RunConfig(journal="off"), **options)
    return result.new_items[1].output


def asked(tool):
    return list(tool.params_json_schema["properties"])


# --- What returns something that is still to be awaited. ------------------------------------


async def found(name: str) -> str:
    await asyncio.sleep(0)
    return f"found {name}"


def plain(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def asynchronous(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


def with_a_loop_of_its_own(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return asyncio.run(function(*args, **kwargs))

    return wrapper


class Callable:
    def __call__(self, name: str) -> object:
        return found(name)


class AsyncCallable:
    async def __call__(self, name: str) -> str:
        return await found(name)


class Later:
    def __init__(self, name):
        self.name = name

    def __await__(self):
        return found(self.name).__await__()


async def nested(name: str) -> object:
    return found(name)


def later(name: str) -> object:
    return Later(name)


def partly(name: str) -> object:
    return functools.partial(found, name)()


WAYS = {
    "plain decorator": plain(found),
    "plain decorators": plain(plain(found)),
    "async decorator": asynchronous(plain(found)),
    "decorator with a loop of its own": with_a_loop_of_its_own(found),
    "async under async": nested,
    "object with __await__": later,
    "partial inside": partly,
    "callable object": Callable(),
    "async callable object": AsyncCallable(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_to_be_awaited_is_and_the_model_sees_what_it_came_to(way):
    tool = function_tool(WAYS[way], name_override="look_up")
    assert await answer(tool, {"name": "ann"}) == "found ann"


async def test_a_lambda_that_calls_an_async_function():
    tool = function_tool(lambda name: found(name=name), name_override="look_up", strict_mode=False)
    assert await answer(tool, {"name": "ann"}) == "found ann"


async def test_a_failure_behind_a_plain_decorator_is_told_like_any_other():
    async def broken(name: str) -> str:
        raise ValueError(name)

    tool = function_tool(plain(broken), failure_error_function=lambda _, error: f"sorry, {error}")
    assert await answer(tool, {"name": "ann"}) == "sorry, ann"


# --- What yields. ----------------------------------------------------------------------------


def counted(name: str):
    yield name


async def counted_later(name: str):
    yield name


class Counting:
    def __call__(self, name: str):
        yield name


@pytest.mark.parametrize("function", [counted, counted_later, Counting()])
def test_a_function_that_yields_is_refused(function):
    with pytest.raises(UserError, match=r"yields.*Collect"):
        function_tool(function)


@pytest.mark.parametrize("function", [plain(counted), plain(counted_later)])
async def test_of_a_generator_a_model_is_told_what_it_was_and_the_log_what_to_do(function, caplog):
    tool = function_tool(function, name_override="count")
    script = [[function_call("count", {"name": "ann"}, call_id="1")], [assistant_message("ok")]]
    result = await Runner.run(Agent(name="A", tools=[tool], model=ScriptedModel(script)), "hi")
    told = result.new_items[1].raw_item["output"]
    assert told.startswith("A value of type ")
    assert "cannot be shown" in told
    assert "Collect what it yields" in caplog.text


@pytest.mark.parametrize("function", [functools.partial(found, "x"), 3, "found"])
def test_what_has_no_parameters_to_tell_is_refused(function):
    with pytest.raises((UserError, ValueError)):
        function_tool(function)


# --- Methods. --------------------------------------------------------------------------------


class Desk:
    def __init__(self, name):
        self.name = name

    @function_tool
    def price(self, article: str) -> str:
        """Ask for a price.

        Args:
            article: What to buy.
        """
        return f"{self.name} {article}"

    @function_tool(name_override="later")
    async def price_later(self, ctx: ToolContext[int], article: str) -> str:
        return f"{self.name} {article} {ctx.context}"

    @function_tool
    @classmethod
    def of_class(cls, article: str) -> str:
        return f"{cls.__name__} {article}"

    @function_tool
    @staticmethod
    def of_nobody(article: str) -> str:
        return f"nobody {article}"

    @staticmethod
    @function_tool
    def of_nobody_either(article: str) -> str:
        return f"nobody {article}"

    def undecorated(self, article: str) -> str:
        return f"{self.name} {article}"


class Branch(Desk):
    pass


METHODS = {
    "price": "ours chair",
    "price_later": "ours chair 7",
    "of_class": "Branch chair",
    "of_nobody": "nobody chair",
    "of_nobody_either": "nobody chair",
}


@pytest.mark.parametrize("name", METHODS)
async def test_a_method_is_a_tool_of_the_object_it_is_looked_up_on(name):
    tool = getattr(Branch("ours"), name)
    assert asked(tool) == ["article"]
    assert await answer(tool, {"article": "chair"}, context=7) == METHODS[name]


async def test_two_objects_have_two_tools():
    one, other = Desk("one"), Desk("other")
    tools = [one.price, other.price]
    assert [await answer(each, {"article": "x"}) for each in tools] == ["one x", "other x"]


async def test_a_bound_method_may_be_decorated_too():
    assert await answer(function_tool(Desk("ours").undecorated), {"article": "x"}) == "ours x"


def test_a_methods_description_does_without_self():
    tool = Desk("ours").price
    assert tool.description == "Ask for a price."
    assert tool.params_json_schema["properties"]["article"]["description"] == "What to buy."


def test_a_method_of_no_object_is_no_tool():
    with pytest.raises(UserError, match=r"tools\[0\].*price.*object"):
        Agent(name="A", tools=[Desk.price])


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="chains of descriptors are gone there")
async def test_a_class_method_may_be_decorated_from_below():
    class Other:
        @classmethod
        @function_tool
        def price(cls, article: str) -> str:
            return f"{cls.__name__} {article}"

    assert await answer(Other.price, {"article": "x"}) == "Other x"


def test_self_outside_of_a_class_is_refused():
    def price(self, article: str) -> str:
        return article

    with pytest.raises(UserError, match=r"'self'.*class"):
        function_tool(price)


# --- Parameters. -----------------------------------------------------------------------------


def positional(article: str, count: int = 2, /) -> str:
    return f"{article} {count}"


def keyword_only(*, article: str, count: int = 2) -> str:
    return f"{article} {count}"


def reserved(input: str, context: str, output: str, arguments: str) -> str:
    return f"{input} {context} {output} {arguments}"


def many(article: str, *counts: int) -> str:
    return f"{article} {sum(counts)}"


def collected(article: str, found: list[str] = []) -> str:  # noqa: B006  # as users write it
    found.append(article)
    return " ".join(found)


PARAMETERS = [
    (positional, {"article": "a", "count": 3}, "a 3"),
    (keyword_only, {"article": "a", "count": 3}, "a 3"),
    (reserved, {"input": "a", "context": "b", "output": "c", "arguments": "d"}, "a b c d"),
    (many, {"article": "a", "counts": [1, 2]}, "a 3"),
    (collected, {"article": "a"}, "a"),
]


@pytest.mark.parametrize(("function", "arguments", "expected"), PARAMETERS)
async def test_kinds_of_parameters(function, arguments, expected):
    tool = function_tool(function)
    assert asked(tool) == list(inspect.signature(function).parameters)
    assert await answer(tool, arguments) == expected
    assert await answer(tool, arguments) == expected, "a default is not shared between calls"


# --- Types that are there for checkers only. -------------------------------------------------


def of_context(ctx: RunContextWrapper[Shop], article: str) -> Order:
    return f"{article} {ctx.context}"


def of_quoted(ctx: ToolContext["Shop"], article: str) -> Order:  # noqa: UP037
    return f"{article} {ctx.context}"


def of_annotated(ctx: Annotated[RunContextWrapper[Shop], "notes"], article: str) -> str:
    return f"{article} {ctx.context}"


def of_result(article: str) -> list[Order]:
    return f"{article} 7"


def of_keyword(article: str, *, many: bool = False) -> Order | None:
    return f"{article} 7"


@pytest.mark.parametrize("function", [of_context, of_quoted, of_annotated, of_result, of_keyword])
async def test_types_of_context_and_result_need_not_be_there(function):
    tool = function_tool(function)
    assert "article" in asked(tool)
    assert "ctx" not in asked(tool)
    arguments = {"article": "chair", **({"many": True} if "many" in asked(tool) else {})}
    assert await answer(tool, arguments, context=7) == "chair 7"


class Checkout:
    @function_tool
    def pay(self, ctx: RunContextWrapper[Shop], article: str) -> Order:
        return f"{article} {ctx.context}"


async def test_neither_in_methods():
    assert await answer(Checkout().pay, {"article": "chair"}, context=7) == "chair 7"


@pytest.mark.parametrize("annotation", ["Order", "list[Order]", "Order | None", "app.Order"])
def test_a_type_of_an_argument_has_to_be_there(annotation):
    def save(article: str, order) -> str:
        return article

    save.__annotations__["order"] = annotation
    with pytest.raises(UserError) as caught:
        function_tool(save)
    text = str(caught.value)
    assert "'order'" in text
    assert "save" in text
    assert annotation in text
    assert "TYPE_CHECKING" in text
    assert "app.shops" not in text


async def test_a_type_defined_beside_the_tool_inside_a_function_is_found():
    class Local(BaseModel):
        name: str

    @function_tool
    def save(order: Local) -> str:
        return order.name

    assert await answer(save, {"order": {"name": "ann"}}) == "ann"


# --- TypedDict of either module. -------------------------------------------------------------


class Address(typing.TypedDict):
    """Where it goes."""

    street: str
    floor: NotRequired[int]


class Person(typing.TypedDict, total=False):
    name: typing.Required[str]
    address: Address


class Extended(typing_extensions.TypedDict):
    street: str


def to_address(address: Address) -> str:
    return address["street"]


def to_addresses(addresses: list[Address] | None) -> str:
    return ",".join(each["street"] for each in addresses or ())


def to_person(person: Annotated[Person, "who"], how: Literal["a", "b"]) -> str:
    return person["address"]["street"] + how


def to_extended(address: Extended) -> str:
    return address["street"]


HOME = {"street": "Main", "floor": 1}


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (to_address, {"address": HOME}, "Main"),
        (to_addresses, {"addresses": [HOME, HOME]}, "Main,Main"),
        (to_person, {"person": {"name": "ann", "address": HOME}, "how": "a"}, "Maina"),
        (to_extended, {"address": {"street": "Main"}}, "Main"),
    ],
)
async def test_a_typed_dict_of_either_module_may_be_an_argument(function, arguments, expected):
    assert await answer(function_tool(function), arguments) == expected
