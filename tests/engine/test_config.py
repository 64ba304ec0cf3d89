"""The settings of a run: their defaults, dicts for them, and mistakes in them."""

from typing import Any

import pytest

from outlast.core.errors import MaxTurnsExceeded, UserError
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.settings import ModelSettings
from outlast.effects.config import (
    RunConfig,
    ToolExecutionConfig,
    brings_model_provider,
    coerce_run_config,
)
from outlast.effects.error_handlers import (
    RunErrorData,
    RunErrorHandlerInput,
    RunErrorHandlerResult,
    ask_handler,
)
from outlast.models.provider import MultiProvider
from outlast.sessions.session import SessionSettings


def test_dicts_become_settings():
    config = coerce_run_config(
        {
            "workflow_name": "w",
            "model_settings": {"temperature": 0.0},
            "session_settings": {"limit": 5},
            "tool_execution": {"max_function_tool_concurrency": 2},
            "tracing": {"api_key": "k"},
        }
    )
    assert isinstance(config.model_settings, ModelSettings)
    assert config.model_settings.temperature == 0.0
    assert config.session_settings == SessionSettings(limit=5)
    assert config.tool_execution == ToolExecutionConfig(max_function_tool_concurrency=2)
    assert config.tracing == {"api_key": "k"}


def test_settings_that_are_given_stay_the_same_objects():
    settings = ModelSettings(temperature=0.2)
    config = RunConfig(model_settings=settings)
    assert config.model_settings is settings
    assert coerce_run_config(config) is config


def test_a_run_without_settings_has_the_defaults():
    config = coerce_run_config(None)
    assert isinstance(config.model_provider, MultiProvider)
    assert config.guardrails_hold_tools
    assert (config.journal, config.durability) == (None, None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"b": 1, "a": 2}, "Unknown run_config settings: a, b"),
        (3, "run_config must be a RunConfig instance or a dict, got int"),
        ({"tool_execution": {"a": 1}}, "Unknown run_config.tool_execution settings: a"),
        ({"tool_execution": 3}, "run_config.tool_execution must be a ToolExecutionConfig instance"),
        ({"model_settings": 3}, "model_settings must be a ModelSettings instance or a dict"),
        ({"model_settings": {"temperatur": 1}}, "Unknown model settings: temperatur"),
        ({"session_settings": {"limitt": 1}}, "Unknown session settings: limitt"),
        ({"output_guardrail_blocked_message": 3}, "must be a string, callable, or None"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_an_error(value: Any, message: str):
    with pytest.raises(TypeError, match=message):
        coerce_run_config(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"tool_execution": {"max_function_tool_concurrency": 0}}, "must be at least 1"),
        ({"tool_name_collision_policy": "erorr"}, "must be either 'warn' or 'error'"),
        ({"tool_not_found_behavior": "x"}, "must be either 'raise_error' or 'return_error_to"),
        ({"durability": "x"}, "must be one of 'power', 'process', 'memory'"),
        ({"output_guardrail_blocked_message": ""}, "must be non-empty"),
    ],
)
def test_a_setting_out_of_range_is_an_error(value: Any, message: str):
    with pytest.raises(ValueError, match=message):
        coerce_run_config(value)


class Text(str):
    __slots__ = ()


class AsyncFormatter:
    async def __call__(self, args: object) -> str:
        return "text"


async def async_formatter(args: object) -> str:
    return "text"


@pytest.mark.parametrize("message", [Text("text"), AsyncFormatter(), async_formatter])
def test_the_message_for_a_blocked_output_is_a_text_or_a_sync_function(message: Any):
    with pytest.raises(TypeError, match="output_guardrail_blocked_message"):
        RunConfig(output_guardrail_blocked_message=message)


def test_the_message_for_a_blocked_output_may_be_a_function():
    def formatter(args: object) -> str:
        return "text"

    config = RunConfig(output_guardrail_blocked_message=formatter)
    assert config.output_guardrail_blocked_message is formatter


@pytest.mark.parametrize(
    ("value", "included"),
    [(None, True), ("1", True), (" Yes ", True), ("off", False), ("", False), ("no", False)],
)
def test_the_environment_says_whether_traces_hold_content(
    monkeypatch: pytest.MonkeyPatch, value: str | None, *, included: bool
):
    name = "OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA"
    if value is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, value)
    assert RunConfig().trace_include_sensitive_data is included
    assert RunConfig(trace_include_sensitive_data=True).trace_include_sensitive_data


def test_a_provider_is_the_callers_if_the_caller_made_it():
    assert brings_model_provider(RunConfig())
    assert brings_model_provider({"model_provider": MultiProvider()})
    assert not brings_model_provider({"workflow_name": "w"})
    assert not brings_model_provider(None)


def data() -> RunErrorData:
    return RunErrorData("hi", [], [], [], [], Agent(name="a"))


async def answer_of(handler: Any) -> RunErrorHandlerResult | None:
    error, context = MaxTurnsExceeded("too many"), RunContextWrapper("c")
    return await ask_handler({"max_turns": handler}, "max_turns", error, context, data())


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("text", RunErrorHandlerResult("text")),
        (None, None),
        ({"k": 1}, RunErrorHandlerResult({"k": 1})),
        ({"final_output": 1}, RunErrorHandlerResult(1)),
        (
            {"final_output": 1, "include_in_history": False},
            RunErrorHandlerResult(1, include_in_history=False),
        ),
        (RunErrorHandlerResult("x"), RunErrorHandlerResult("x")),
    ],
)
async def test_a_handler_may_answer_in_several_ways(
    answer: object, result: RunErrorHandlerResult | None
):
    async def later(_: object) -> object:
        return answer

    assert await answer_of(lambda _: answer) == result
    assert await answer_of(later) == result


async def test_an_answer_with_unknown_keys_is_an_error():
    with pytest.raises(UserError, match="Invalid run error handler result"):
        await answer_of(lambda _: {"final_output": 1, "other": 2})


async def test_without_a_handler_there_is_no_answer():
    error, context = MaxTurnsExceeded("too many"), RunContextWrapper("c")
    for handlers in (None, {}):
        assert await ask_handler(handlers, "max_turns", error, context, data()) is None


async def test_a_handler_is_told_what_happened():
    seen: list[RunErrorHandlerInput[Any]] = []
    await answer_of(seen.append)
    assert str(seen[0].error) == "too many"
    assert seen[0].context.context == "c"
    assert seen[0].run_data.input == "hi"
