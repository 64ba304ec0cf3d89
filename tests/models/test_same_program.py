"""The same agent program gives the same through every way to a model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from outlast import (
    Agent,
    AgentsException,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    ItemHelpers,
    ModelRefusalError,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    OpenAIResponsesWSModel,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunState,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from outlast.core.usage import Usage
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call
from outlast.testing.provider import ScriptedProvider, refusal

PROVIDERS_OWN = ("id", "provider_data")
TRANSPORTS = ("responses", "websocket", "chat")


# --- The program. ------------------------------------------------------------------------


class Answer(BaseModel):
    city: str
    advice: str


@dataclass
class Desk:
    """The run's context."""

    customer: str
    published: list[str] = field(default_factory=list[str])


def greeting(context: RunContextWrapper[Desk], agent: Agent[Desk]) -> str:
    return f"You are {agent.name}. You speak with {context.context.customer}."


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


@function_tool
async def clock(city: str, zone: int = 0) -> dict[str, Any]:
    """The time in a city."""
    return {"city": city, "hour": 12 + zone}


@function_tool(needs_approval=True)
def publish(context: RunContextWrapper[Desk], text: str) -> str:
    """Publish a text."""
    context.context.published.append(text)
    return "published"


@input_guardrail(run_in_parallel=False)
def no_secrets(_: Any, __: Any, given: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput({"kind": type(given).__name__}, "secret" in str(given))


@output_guardrail
def no_shouting(_: Any, __: Any, output: Any) -> GuardrailFunctionOutput:
    is_answer = isinstance(output, Answer)
    return GuardrailFunctionOutput({"answer": is_answer}, is_answer and output.advice.isupper())


def program() -> Agent[Desk]:
    """The desk, which hands over to the writer."""
    writer = Agent[Desk](
        name="writer",
        instructions=greeting,
        tools=[publish],
        output_type=Answer,
        output_guardrails=[no_shouting],
    )
    return Agent[Desk](
        name="desk",
        instructions=greeting,
        tools=[weather, clock],
        handoffs=[writer],
        input_guardrails=[no_secrets],
    )


# --- What the model does. ----------------------------------------------------------------


def step(*output: Any, tokens: int = 5) -> ModelStep:
    usage = Usage(requests=1, input_tokens=tokens, output_tokens=2, total_tokens=tokens + 2)
    usage.input_tokens_details.cached_tokens = 1
    usage.output_tokens_details.reasoning_tokens = 1
    return ModelStep(output=list(output), usage=usage)


LOOK = step(
    assistant_message("I look it up: 東京, “now”.\n", item_id="msg_1"),
    function_call("weather", {"city": "Tōkyō"}, call_id="call_1", item_id="fc_1"),
    function_call("clock", {"city": "Tōkyō", "zone": 9}, call_id="call_2", item_id="fc_2"),
    tokens=11,
)
MOVE = step(function_call("transfer_to_writer", {}, call_id="call_3", item_id="fc_3"), tokens=23)
PUBLISH = step(
    function_call("publish", {"text": 'rain, "12"\n'}, call_id="call_4", item_id="fc_4"), tokens=31
)
DONE = step(assistant_message('{"city":"Tōkyō","advice":"umbrella"}', item_id="msg_5"), tokens=47)
SHOUT = step(assistant_message('{"city":"Tōkyō","advice":"UMBRELLA"}', item_id="msg_5"))
NO = step(refusal("I cannot say that.", item_id="msg_6"))


# --- The ways to it. ---------------------------------------------------------------------


ASKED = {
    "responses": ("POST", "/v1/responses"),
    "websocket": ("WS", "/v1/responses"),
    "chat": ("POST", "/v1/chat/completions"),
}


@asynccontextmanager
async def way(transport: str, script: list[ModelStep]) -> AsyncIterator[Any]:
    """A model that plays the script, in this process or at the other end of a socket."""
    if transport == "scripted":
        model = ScriptedModel(script)
        yield model
        model.assert_complete()
        return
    async with ScriptedProvider(script) as provider:
        http = openai.DefaultAsyncHttpxClient(verify=False)  # Certificates take long to load.
        urls = {"websocket_base_url": provider.websocket_base_url}
        client = provider.client(http_client=http, **urls)
        kinds = {
            "responses": OpenAIResponsesModel,
            "websocket": OpenAIResponsesWSModel,
            "chat": OpenAIChatCompletionsModel,
        }
        model = kinds[transport]("some-model", client)
        yield model
        asked = [each for each in provider.requests if each.method != "GET"]
        assert {(each.method, each.path) for each in asked} <= {ASKED[transport]}
        assert all("You speak with Ada." in str(each.body) for each in asked)
        provider.assert_complete()
        await model.close()


@dataclass
class Seen:
    """What a program saw of its run, without what a provider makes up."""

    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[str] = field(default_factory=list[str])
    said: list[str] = field(default_factory=list[str])

    def note(self, name: str, result: Any) -> None:
        self.facts[name] = {
            "output": result.final_output,
            "agent": result.last_agent.name,
            "items": [item_facts(item) for item in result.new_items],
            "input": [bare(item) for item in result.to_input_list()],
            "usage": usage_facts(result.context_wrapper.usage),
            "guardrails": [
                (each.guardrail.get_name(), each.output.output_info, each.output.tripwire_triggered)
                for each in [*result.input_guardrail_results, *result.output_guardrail_results]
            ],
            "waits for": [
                (each.tool_name, each.arguments, each.call_id) for each in result.interruptions
            ],
            "replies": [
                ([bare(item.model_dump(exclude_unset=True)) for item in reply.output],
                 usage_facts(reply.usage))
                for reply in result.raw_responses
            ],
        }  # fmt: skip


def item_facts(item: Any) -> tuple[Any, ...]:
    raw = item.raw_item if isinstance(item.raw_item, dict) else item.raw_item.model_dump()
    text = ItemHelpers.text_message_output(item) if item.type == "message_output_item" else ""
    output = getattr(item, "output", None)
    return (item.type, item.agent.name, text, output, bare(raw))


def bare(value: Any) -> Any:
    """An item without the ids of a provider, and without what chat notes about where it is from."""
    if isinstance(value, list):
        return [bare(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: bare(each) for name, each in value.items() if name not in PROVIDERS_OWN}


def usage_facts(usage: Usage) -> tuple[Any, ...]:
    entries = [(each.input_tokens, each.total_tokens) for each in usage.request_usage_entries]
    return (
        usage.requests,
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.output_tokens_details.reasoning_tokens,
        entries,
    )


# --- Running it. -------------------------------------------------------------------------


async def ran(
    model: Any, seen: Seen, given: Any, *, streamed: bool, context: Desk, **more: Any
) -> Any:
    """A run, to its end or its next wait."""
    settings = ModelSettings(include_usage=True)
    options: dict[str, Any] = {
        "context": context,
        "run_config": RunConfig(model=model, model_settings=settings, tracing_disabled=True),
        **more,
    }
    agent = program()
    if not streamed:
        return await Runner.run(agent, given, **options)
    result = Runner.run_streamed(agent, given, **options)
    said = ""
    async for event in result.stream_events():
        if event.type == "raw_response_event":
            said += told(event.data)
        elif event.type == "run_item_stream_event":
            seen.events.append(f"{event.name} {event.item.type}")
        else:
            seen.events.append(f"agent {event.new_agent.name}")
    seen.said.append(said)
    return result


def told(event: Any) -> str:
    """What a raw event lets a reader see of the answer as it grows."""
    is_word = event.type.endswith(("output_text.delta", "refusal.delta", "arguments.delta"))
    return event.delta if is_word else ""


async def whole_program(transport: str, after: str = "", *, streamed: bool) -> Seen:
    """Ask, wait for the approval, write the state down, and go on from it, perhaps elsewhere."""
    seen, context = Seen(), Desk("Ada")
    async with way(transport, [LOOK, MOVE, PUBLISH]) as model:
        first = await ran(model, seen, "What now?", streamed=streamed, context=context)
        seen.note("waiting", first)
    written = first.to_state().to_string()
    state = await RunState.from_string(program(), written, context_override=context)
    state.approve(state.get_interruptions()[0])
    async with way(after or transport, [DONE]) as model:
        last = await ran(model, seen, state, streamed=streamed, context=context)
        seen.note("done", last)
    seen.facts["published"] = context.published
    return seen


async def test_the_reference_does_what_the_program_is_about() -> None:
    seen = await whole_program("scripted", streamed=True)
    waiting, done = seen.facts["waiting"], seen.facts["done"]
    assert waiting["waits for"] == [("publish", '{"text":"rain, \\"12\\"\\n"}', "call_4")]
    assert done["output"] == Answer(city="Tōkyō", advice="umbrella")
    assert done["agent"] == "writer"
    assert seen.facts["published"] == ['rain, "12"\n']
    assert done["usage"][:4] == (4, 11 + 23 + 31 + 47, 8, 11 + 23 + 31 + 47 + 8)
    assert [kind for kind, *_ in done["items"]] == [
        "message_output_item", "tool_call_item", "tool_call_item",
        "tool_call_output_item", "tool_call_output_item",
        "handoff_call_item", "handoff_output_item",
        "tool_call_item", "tool_approval_item", "tool_call_output_item", "message_output_item",
    ]  # fmt: skip
    assert seen.events[:4] == [
        "agent desk", "message_output_created message_output_item",
        "tool_called tool_call_item", "tool_called tool_call_item",
    ]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_program_sees_the_same_through_every_transport(
    transport: str, streamed: bool
) -> None:
    reference = await whole_program("scripted", streamed=streamed)
    seen = await whole_program(transport, streamed=streamed)
    assert seen.facts == reference.facts
    assert seen.events == reference.events
    assert seen.said == reference.said


async def test_a_program_sees_the_same_streamed_or_not() -> None:
    plain = await whole_program("scripted", streamed=False)
    streamed = await whole_program("scripted", streamed=True)
    assert streamed.facts == plain.facts


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("before", "after"), [("chat", "websocket"), ("responses", "chat"), ("websocket", "responses")]
)
async def test_a_run_that_waits_goes_on_through_another_transport(
    before: str, after: str, streamed: bool
) -> None:
    reference = await whole_program("scripted", streamed=streamed)
    seen = await whole_program(before, after, streamed=streamed)
    assert seen.facts == reference.facts
    assert seen.events == reference.events


async def failure(transport: str, script: list[ModelStep], given: str, *, streamed: bool) -> Any:
    """How a run fails, and what it saw until then."""
    seen, context = Seen(), Desk("Ada")
    async with way(transport, script) as model:
        with pytest.raises(AgentsException) as caught:
            await ran(model, seen, given, streamed=streamed, context=context)
    error = caught.value
    assert error.run_data is not None
    items = [item_facts(item) for item in error.run_data.new_items]
    usage = usage_facts(error.run_data.context_wrapper.usage)
    return type(error), str(error), items, usage, seen.events


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("script", "given", "kind"),
    [
        pytest.param([], "a secret", InputGuardrailTripwireTriggered, id="input refused"),
        pytest.param([MOVE, SHOUT], "x", OutputGuardrailTripwireTriggered, id="output refused"),
        pytest.param([LOOK, NO], "x", ModelRefusalError, id="a refusal"),
        pytest.param([MOVE, NO], "x", ModelRefusalError, id="a refusal to be structured"),
    ],
)
async def test_a_program_fails_the_same_through_every_transport(
    transport: str, streamed: bool, script: list[ModelStep], given: str, kind: type[Exception]
) -> None:
    reference = await failure("scripted", script, given, streamed=streamed)
    assert reference[0] is kind
    assert await failure(transport, script, given, streamed=streamed) == reference


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_refusal_that_is_taken_for_an_answer_is_the_same_through_every_transport(
    transport: str, streamed: bool
) -> None:
    async def refused(by: str) -> Seen:
        seen = Seen()
        async with way(by, [LOOK, NO]) as model:
            handlers = {"model_refusal": lambda given: given.error.refusal}
            result = await ran(
                model, seen, "x", streamed=streamed, context=Desk("Ada"), error_handlers=handlers
            )
            seen.note("refused", result)
        return seen

    reference = await refused("scripted")
    assert reference.facts["refused"]["output"] == "I cannot say that."
    assert await refused(transport) == reference
