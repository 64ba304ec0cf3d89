"""Function tools: how they answer, fail, wait, and are copied."""

import asyncio
import copy
import dataclasses
import inspect
import json
import logging
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field
from typing_extensions import TypedDict

from outlast.core.errors import ModelBehaviorError, ToolTimeoutError, UserError
from outlast.definitions import debug
from outlast.definitions.context import RunContextWrapper, ToolContext
from outlast.definitions.function_tool import (
    ToolInvoker,
    maybe_invoke_function_tool_failure_error_function,
)
from outlast.definitions.hosted_tools import WebSearchTool
from outlast.definitions.tool import (
    FunctionTool,
    extracted_custom_data,
    function_tool,
    invoke_function_tool,
    tool_namespace,
)
from outlast.definitions.tool_output import FailureText

SORRY = "An error occurred while running the tool. Please try again."


async def answer(tool: FunctionTool, arguments: str = "{}", **about: Any) -> Any:
    context = ToolContext("the user's", None, tool.name, "c1", arguments, **about)
    return await invoke_function_tool(tool, context, arguments)


@function_tool
async def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


@function_tool(failure_error_function=None)
async def strict_add(a: int) -> int:
    return a


async def test_an_async_function_answers_on_the_loop():
    assert await answer(add, '{"a": 2}') == 3


async def test_a_sync_function_answers_from_a_thread_with_the_callers_context_variables():
    @function_tool
    def where() -> bool:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return True

    assert await answer(where) is True


async def test_empty_arguments_are_an_empty_object():
    assert await answer(function_tool(lambda: "x"), "") == "x"


@pytest.mark.parametrize("sent", ["{", "[]", '"text"', "{}", '{"a": "x"}'])
async def test_arguments_that_do_not_fit_are_the_models_mistake(sent: str):
    with pytest.raises(ModelBehaviorError, match="Invalid JSON input for tool strict_add"):
        await answer(strict_add, sent)


@pytest.mark.parametrize("sent", ['{"a": "SECRET"}', '{"a": "SECRET"'])
async def test_an_error_quotes_the_model_only_on_request(
    sent: str, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(ModelBehaviorError) as hidden:
        await answer(strict_add, sent)
    assert "SECRET" not in str(hidden.value)
    assert hidden.value.__context__ is None
    monkeypatch.setattr(debug, "DONT_LOG_TOOL_DATA", False)
    with pytest.raises(ModelBehaviorError, match="SECRET"):
        await answer(strict_add, sent)


async def test_a_failure_is_told_without_its_details():
    text = await answer(add, '{"a": null}')
    assert text == SORRY
    assert isinstance(text, FailureText)
    assert isinstance(text.error, ModelBehaviorError)


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_author_may_word_failures(is_async: bool):
    def sync_words(context: RunContextWrapper[Any], error: Exception) -> str:
        return f"{context.context}: {error}"

    async def async_words(context: RunContextWrapper[Any], error: Exception) -> str:
        return sync_words(context, error)

    @function_tool(failure_error_function=async_words if is_async else sync_words)
    async def fail() -> None:
        raise ValueError("nope")

    assert await answer(fail) == "the user's: nope"


async def test_failures_are_logged_with_their_traceback_on_request_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.DEBUG, "openai.agents")
    await answer(add, '{"a": null}')
    assert not any(record.exc_info for record in caplog.records)
    monkeypatch.setattr(debug, "DONT_LOG_TOOL_DATA", False)
    await answer(add, '{"a": null}')
    assert any(record.exc_info for record in caplog.records)


async def test_a_cancelled_tool_has_failed_like_any_other():
    text = await maybe_invoke_function_tool_failure_error_function(
        function_tool=add, context=RunContextWrapper(None), error=asyncio.CancelledError()
    )
    assert text == SORRY
    assert isinstance(text.error, asyncio.CancelledError)


@function_tool(timeout=0.001)
async def slow() -> None:
    await asyncio.Event().wait()


async def test_a_late_call_is_told_to_the_model():
    assert await answer(slow) == "Tool 'slow' timed out after 0.001 seconds."


async def test_a_late_call_may_be_worded_by_the_author():
    tool = dataclasses.replace(slow, timeout_error_function=lambda _, error: type(error).__name__)
    assert await answer(tool) == "ToolTimeoutError"


async def test_a_late_call_may_fail_the_run():
    with pytest.raises(ToolTimeoutError):
        await answer(dataclasses.replace(slow, timeout_behavior="raise_exception"))


async def test_a_timeout_error_of_the_tools_own_is_an_ordinary_error():
    @function_tool(timeout=60, failure_error_function=None)
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await answer(fail)


def test_the_thread_of_a_sync_function_cannot_be_stopped():
    with pytest.raises(ValueError, match="only supported for async"):
        function_tool(lambda: 1, timeout=1)


COPIES = [copy.copy, copy.deepcopy, dataclasses.replace]


@pytest.mark.parametrize("copied", COPIES)
async def test_a_copy_has_its_own_name_and_policy(copied: Any):
    twin = copied(strict_add)
    twin.name = "twin"
    assert twin.__wrapped__ is strict_add.__wrapped__
    with pytest.raises(ModelBehaviorError, match="for tool twin"):
        await answer(twin)
    with pytest.raises(ModelBehaviorError, match="for tool strict_add"):
        await answer(strict_add)


def test_only_decorated_tools_have_a_wrapped_function():
    assert inspect.unwrap(add) is add.__wrapped__
    assert not hasattr(FunctionTool, "__wrapped__")
    assert not hasattr(FunctionTool("n", "d", {}, answer), "__wrapped__")


async def manual(context: "RunContextWrapper[Any]", arguments: str) -> Any:
    return context, arguments


async def test_a_hand_made_tool_gets_the_kind_of_context_that_it_asks_for():
    context, arguments = await answer(FunctionTool("n", "d", {}, manual), "x")
    assert type(context) is RunContextWrapper
    assert (context.context, arguments) == ("the user's", "x")


async def test_an_invoker_around_any_body_follows_the_tools_policy():
    async def body(tool: Any, context: Any, arguments: str) -> Any:
        raise ValueError(tool.name)

    assert await answer(FunctionTool("n", "d", {}, ToolInvoker(body))) == SORRY


class Stock(TypedDict):
    units: int


async def test_a_declared_result_is_checked():
    @function_tool(output_type=Stock, failure_error_function=None)
    async def stock() -> Any:
        return {"units": "many"}

    assert stock.output_json_schema is not None
    with pytest.raises(UserError, match="does not match its declared output type"):
        await answer(stock)


async def test_a_program_gets_no_excuse_in_place_of_a_declared_result():
    @function_tool(allowed_callers=["programmatic"])
    async def stock() -> Stock:
        raise ValueError("none left")

    assert await answer(stock) == SORRY
    call: Any = {"caller": {"type": "program", "caller_id": "p"}}
    with pytest.raises(ValueError, match="none left"):
        await answer(stock, tool_call=call)


@pytest.mark.parametrize("options", [
    {"output_type": Stock, "output_json_schema": {"type": "object"}},
    {"output_type": list[int]},
    {"output_json_schema": {"type": "string"}},
    {"output_json_schema": {"type": "object", "additionalProperties": True}},
    {"allowed_callers": []},
    {"allowed_callers": ["direct", "direct"]},
])  # fmt: skip
def test_promises_that_cannot_be_kept_are_refused(options: Any):
    with pytest.raises(UserError):
        function_tool(lambda: 1, **options)


class Request(BaseModel):
    target: str


@function_tool(strict_mode=False)
async def act(target: str, tags: list[str] | None = None) -> None: ...
@function_tool
async def act_on(request: Request) -> None: ...
@function_tool(strict_mode=False)
async def act_at(to: Annotated[str, Field(validation_alias=AliasChoices("to", "at"))]) -> None: ...


@pytest.mark.parametrize(
    ("tool", "sent", "is_shown"),
    [
        (act, {"target": "t", "tags": ["a"]}, True),
        (act, {"target": "t", "tags": None}, True),
        (act, {"target": "t"}, False),
        (act, {"target": 1, "tags": None}, False),
        (act, {"target": "t", "tags": None, "more": 1}, False),
        (act_on, {"request": {"target": "t"}}, False),
        (act_at, {"to": "t"}, True),
        (act_at, {"at": "t"}, False),
    ],
)
def test_only_what_reaches_the_function_unchanged_is_decided_on(
    tool: FunctionTool, sent: dict[str, Any], is_shown: bool
):
    assert tool.approval_arguments(json.dumps(sent)) == (sent if is_shown else None)


@pytest.mark.parametrize("sent", ["{", "[]", '{"x": NaN}'])
def test_what_is_no_json_object_is_never_decided_on_by_code(sent: str):
    assert FunctionTool("n", "d", {}, manual).approval_arguments(sent) is None


def test_a_namespace_holds_copies():
    (twin,) = tool_namespace(name="math", description="Sums.", tools=[add])
    assert (twin.qualified_name, twin.namespace_description) == ("math.add", "Sums.")
    assert add.namespace is None


@pytest.mark.parametrize(
    ("name", "description", "tools"),
    [("", "d", [add]), ("n", " ", [add]), ("add", "d", [add]), ("n", "d", [WebSearchTool()])],
)
def test_a_namespace_without_a_sense_is_refused(name: str, description: str, tools: Any):
    with pytest.raises(UserError):
        tool_namespace(name=name, description=description, tools=tools)


@pytest.mark.parametrize("found", [{"x": object()}, {"x": float("nan")}])
async def test_custom_data_is_json(found: Any):
    with pytest.raises(UserError, match="must return JSON-compatible data"):
        await extracted_custom_data(lambda _: found, None)


async def test_custom_data_may_come_from_async_code_or_be_none():
    async def extract(context: Any) -> Any:
        return {"of": context}

    assert await extracted_custom_data(extract, "x") == {"of": "x"}
    assert await extracted_custom_data(lambda _: None, "x") is None
    assert await extracted_custom_data(None, "x") is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout_seconds": 0}, ValueError),
        ({"timeout_seconds": float("inf")}, ValueError),
        ({"timeout_seconds": True}, TypeError),
        ({"timeout_behavior": "wait"}, ValueError),
        ({"timeout_error_function": "text"}, TypeError),
    ],
)
def test_wrong_timeouts_are_refused(options: Any, error: type[Exception]):
    with pytest.raises(error):
        FunctionTool("n", "d", {}, manual, **options)
