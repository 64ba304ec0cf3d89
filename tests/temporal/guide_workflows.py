"""Workflows as the guides to agents on Temporal write them. Only model and sizes are a test's own."""

import asyncio
import os
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from agents import (
    Agent,
    AgentHooks,
    AgentOutputSchema,
    CodeInterpreterTool,
    FileSearchTool,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    ItemHelpers,
    ModelSettings,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    ToolsToFinalOutputResult,
    WebSearchTool,
    custom_span,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
    trace,
)
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.contrib import openai_agents
from temporalio.contrib.openai_agents.workflow import activity_as_tool

from outlast import run_batch


def did(what: str) -> None:
    """Remember, outside of all workflows, that something was done."""
    handle = os.open(os.environ["GUIDE_DID"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{what}\n".encode())
    os.close(handle)


# --- Basics. -----------------------------------------------------------------------------


@workflow.defn
class HelloWorldAgent:
    @workflow.run
    async def run(self, prompt: str) -> str:
        agent = Agent(name="Assistant", instructions="You only respond in haikus.")
        result = await Runner.run(agent, input=prompt)
        return result.final_output


@dataclass
class Weather:
    city: str
    conditions: str


@activity.defn
async def get_weather(city: str) -> Weather:
    """Get the weather for a given city."""
    did(f"activity {city}")
    return Weather(city, "Sunny with wind.")


class Offices:
    """Activities that are methods."""

    @activity.defn
    async def get_office(self, city: str) -> str:
        """Get the office of a city."""
        return f"office of {city}"


@workflow.defn
class ToolsWorkflow:
    @workflow.run
    async def run(self, question: str) -> str:
        limit = timedelta(seconds=10)
        agent = Agent(
            name="Weather",
            instructions="call get_weather, then get_office",
            tools=[
                openai_agents.workflow.activity_as_tool(get_weather, start_to_close_timeout=limit),
                activity_as_tool(Offices.get_office, start_to_close_timeout=limit),
            ],
        )
        result = await Runner.run(starting_agent=agent, input=question)
        return result.final_output


class FinalResult(BaseModel):
    number: int


class CountingHooks(AgentHooks):
    def __init__(self, display_name: str) -> None:
        self.event_counter = 0
        self.display_name = display_name

    async def on_start(self, context: RunContextWrapper, agent: Agent) -> None:
        self.event_counter += 1
        did(f"{self.display_name} {self.event_counter} started")

    async def on_end(self, context: RunContextWrapper, agent: Agent, output: Any) -> None:
        self.event_counter += 1
        did(f"{self.display_name} {self.event_counter} ended")

    async def on_handoff(self, context: RunContextWrapper, agent: Agent, source: Agent) -> None:
        self.event_counter += 1
        did(f"{self.display_name} {self.event_counter} takes over")

    async def on_tool_start(self, context: RunContextWrapper, agent: Agent, tool: Any) -> None:
        self.event_counter += 1
        did(f"{self.display_name} {self.event_counter} tool {tool.name}")

    async def on_tool_end(
        self, context: RunContextWrapper, agent: Agent, tool: Any, result: Any
    ) -> None:
        self.event_counter += 1
        did(f"{self.display_name} {self.event_counter} tool came to {result}")


@function_tool
def random_number_tool(max: int) -> int:
    """Generate a random number up to the provided maximum."""
    return workflow.random().randint(max, max)


@function_tool
def multiply_by_two_tool(x: int) -> int:
    """Simple multiplication by two."""
    return x * 2


@workflow.defn
class AgentLifecycleWorkflow:
    @workflow.run
    async def run(self, max_number: int) -> FinalResult:
        multiply_agent = Agent(
            name="Multiply",
            instructions="call multiply_by_two_tool",
            tools=[multiply_by_two_tool],
            output_type=FinalResult,
            hooks=CountingHooks("Multiply"),
        )
        start_agent = Agent(
            name="Start",
            instructions="call random_number_tool, then hand off",
            tools=[random_number_tool],
            output_type=FinalResult,
            handoffs=[multiply_agent],
            hooks=CountingHooks("Start"),
        )
        result = await Runner.run(start_agent, input=f"Up to {max_number}.")
        return result.final_output


class UsageHooks(RunHooks):
    def __init__(self) -> None:
        self.event_counter = 0
        self.lines: list[str] = []

    async def on_agent_start(self, context: RunContextWrapper, agent: Agent) -> None:
        self.event_counter += 1
        self.lines.append(f"{self.event_counter}: {agent.name} {context.usage.requests}")

    async def on_llm_end(self, context: RunContextWrapper, agent: Agent, response: Any) -> None:
        self.event_counter += 1
        self.lines.append(f"{self.event_counter}: llm {context.usage.requests}")

    async def on_agent_end(self, context: RunContextWrapper, agent: Agent, output: Any) -> None:
        self.event_counter += 1
        self.lines.append(f"{self.event_counter}: {output} {context.usage.requests}")


@workflow.defn
class UsageWorkflow:
    @workflow.run
    async def run(self, text: str) -> list[str]:
        hooks = UsageHooks()
        agent = Agent(name="Counted", instructions="echo")
        await Runner.run(agent, text, hooks=hooks)
        await Runner.run(agent, text, hooks=hooks)
        return hooks.lines


class Style:
    def __init__(self, style: str) -> None:
        self.style = style


def styled(run_context: RunContextWrapper[Style], agent: Agent[Style]) -> str:
    did("instructions")
    return f"say {run_context.context.style}"


@workflow.defn
class DynamicSystemPromptWorkflow:
    @workflow.run
    async def run(self, message: str) -> str:
        style = workflow.random().choice(["pirate", "pirate"])
        agent = Agent(name="Chat", instructions=styled)
        result = await Runner.run(agent, message, context=Style(style))
        return f"Style: {style}\nResponse: {result.final_output}"


@dataclass
class Jokes:
    jokes: dict[int, str]


@workflow.defn
class NonStrictOutputWorkflow:
    @workflow.run
    async def run(self, text: str) -> dict[str, Any]:
        results: dict[str, Any] = {}
        agent = Agent(
            name="Joker",
            instructions='json {"response": {"jokes": {"1": "ha"}}}',
            output_type=Jokes,
        )
        try:
            await Runner.run(agent, text)
        except Exception as error:  # noqa: BLE001  # as guides have it
            results["strict"] = type(error).__name__
        agent.output_type = AgentOutputSchema(Jokes, strict_json_schema=False)
        result = await Runner.run(agent, text)
        results["loose"] = result.final_output
        return results


@workflow.defn
class PreviousResponseIdWorkflow:
    @workflow.run
    async def run(self, first: str, second: str) -> tuple[str, str]:
        agent = Agent(name="Assistant", instructions="previous")
        result1 = await Runner.run(agent, first)
        result2 = await Runner.run(agent, second, previous_response_id=result1.last_response_id)
        return result1.final_output, result2.final_output


@activity.defn
async def read_image_as_base64(path: str) -> str:
    """The image as text."""
    return f"base64 of {path}"


@workflow.defn
class LocalImageWorkflow:
    @workflow.run
    async def run(self, path: str) -> str:
        b64_image = await workflow.execute_activity(
            read_image_as_base64, path, start_to_close_timeout=timedelta(seconds=30)
        )
        image = {
            "type": "input_image",
            "detail": "auto",
            "image_url": f"data:image/jpeg;base64,{b64_image}",
        }
        agent = Agent(name="Assistant", instructions="image")
        result = await Runner.run(agent, [{"role": "user", "content": [image]}])
        return result.final_output


# --- Patterns. ---------------------------------------------------------------------------


class OutlineCheck(BaseModel):
    good_quality: bool


@workflow.defn
class DeterministicWorkflow:
    @workflow.run
    async def run(self, prompt: str) -> str:
        config = RunConfig()
        outline_agent = Agent(name="outline", instructions="echo")
        checker = Agent(
            name="checker", instructions='json {"good_quality": true}', output_type=OutlineCheck
        )
        with trace("Deterministic story flow"):
            outline = await Runner.run(outline_agent, prompt, run_config=config)
            workflow.logger.info("Outline generated")
            check = await Runner.run(checker, outline.final_output, run_config=config)
            assert isinstance(check.final_output, OutlineCheck)
            if not check.final_output.good_quality:
                return "stopped"
            story = Agent(name="story", instructions="echo", output_type=str)
            result = await Runner.run(story, outline.final_output, run_config=config)
        return f"Final story: {result.final_output}"


@workflow.defn
class ParallelizationWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        spanish = Agent(name="spanish", instructions="echo")
        config = RunConfig()
        with trace("Parallel translation"):
            results = await asyncio.gather(
                *(Runner.run(spanish, f"{text} {n}", run_config=config) for n in range(3))
            )
            outputs = [ItemHelpers.text_message_outputs(each.new_items) for each in results]
            picker = Agent(name="picker", instructions="echo")
            best = await Runner.run(picker, "\n".join(outputs), run_config=config)
        return best.final_output


@workflow.defn
class BatchWorkflow:
    @workflow.run
    async def run(self, texts: list[str]) -> list[str]:
        agent = Agent(name="echo", instructions="echo")
        results = await run_batch(agent, texts, at_once=2)
        return [each.final_output for each in results]


@dataclass
class Feedback:
    feedback: str
    score: str


@workflow.defn
class LLMAsAJudgeWorkflow:
    @workflow.run
    async def run(self, text: str) -> int:
        input_items: list[Any] = [{"content": text, "role": "user"}]
        rounds = 0
        with trace("LLM as a judge"):
            while True:
                rounds += 1
                writer = Agent(name="writer", instructions="echo")
                story = await Runner.run(writer, input_items)
                input_items = story.to_input_list()
                judge = Agent(name="judge", instructions="judge", output_type=Feedback)
                verdict = await Runner.run(judge, input_items)
                result: Feedback = verdict.final_output
                if result.score == "pass":
                    return rounds
                input_items.append({"content": f"Feedback: {result.feedback}", "role": "user"})


@workflow.defn
class AgentsAsToolsWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        spanish = Agent(name="spanish_agent", instructions="echo")
        orchestrator = Agent(
            name="orchestrator",
            instructions="call translate_to_spanish",
            tools=[
                spanish.as_tool(tool_name="translate_to_spanish", tool_description="Translate.")
            ],
        )
        result = await Runner.run(orchestrator, text)
        synthesizer = Agent(name="synthesizer", instructions="echo")
        final = await Runner.run(synthesizer, result.to_input_list())
        return final.final_output


@workflow.defn
class RoutingWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        agents = [Agent(name=f"{name}_agent", instructions="echo") for name in ("french", "dutch")]
        triage = Agent(name="triage", instructions="hand off", handoffs=agents)
        with trace("Routing example"):
            result = await Runner.run(triage, input=[{"content": text, "role": "user"}])
        return f"{result.last_agent.name}: {result.final_output}"


class Homework(BaseModel):
    is_math_homework: bool


guardrail_agent = Agent(
    name="Guardrail check", instructions='json {"is_math_homework": true}', output_type=Homework
)


@input_guardrail
async def math_guardrail(
    context: RunContextWrapper[None], agent: Agent, input: Any
) -> GuardrailFunctionOutput:
    """Asks an agent whether the input is homework."""
    result = await Runner.run(guardrail_agent, input, context=context.context)
    final_output = result.final_output_as(Homework)
    return GuardrailFunctionOutput(
        output_info=final_output, tripwire_triggered=final_output.is_math_homework
    )


@workflow.defn
class InputGuardrailsWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        agent = Agent(name="support", instructions="echo", input_guardrails=[math_guardrail])
        try:
            result = await Runner.run(agent, [{"role": "user", "content": text}])
        except InputGuardrailTripwireTriggered:
            return "Sorry, I can't help you with your math homework."
        return str(result.final_output)


class MessageOutput(BaseModel):
    response: str


@output_guardrail
async def sensitive_data_check(
    context: RunContextWrapper, agent: Agent, output: MessageOutput
) -> GuardrailFunctionOutput:
    """Looks at a clock, as no workflow may."""
    did(f"guardrail {time.time() > 0}")
    found = "650" in output.response
    return GuardrailFunctionOutput(output_info={"phone": found}, tripwire_triggered=found)


@workflow.defn
class OutputGuardrailsWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        agent = Agent(
            name="Assistant",
            instructions='json {"response": "call 650"}',
            output_type=MessageOutput,
            output_guardrails=[sensitive_data_check],
        )
        try:
            await Runner.run(agent, text)
        except OutputGuardrailTripwireTriggered as error:
            return f"Info: {error.guardrail_result.output.output_info}"
        return "passed"


class CityWeather(BaseModel):
    city: str
    conditions: str


@function_tool
def look_up_weather(city: str) -> CityWeather:
    """Logs as a workflow does, and so is a part of it."""
    workflow.logger.info("look_up_weather called")
    return CityWeather(city=city, conditions="Sunny")


async def custom_behavior(context: RunContextWrapper, results: list[Any]) -> Any:
    weather: CityWeather = results[0].output
    return ToolsToFinalOutputResult(
        is_final_output=True, final_output=f"{weather.city} is {weather.conditions}."
    )


@workflow.defn
class ForcingToolUseWorkflow:
    @workflow.run
    async def run(self, behavior: str) -> str:
        behaviors: dict[str, Any] = {
            "default": "run_llm_again",
            "first_tool": "stop_on_first_tool",
            "custom": custom_behavior,
        }
        agent = Agent(
            name="Weather agent",
            instructions="call look_up_weather",
            tools=[look_up_weather],
            tool_use_behavior=behaviors[behavior],
            model_settings=ModelSettings(tool_choice="required" if behavior != "default" else None),
        )
        result = await Runner.run(agent, input="Tokyo", run_config=RunConfig())
        return str(result.final_output)


# --- Architecture. -----------------------------------------------------------------------


@workflow.defn
class ConfiguredWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        agent = Agent(
            name="ResearchAgent",
            instructions="tools",
            model="gpt-4o",
            model_settings=ModelSettings(temperature=0.7, max_tokens=1000, tool_choice="auto"),
            tools=[WebSearchTool(), CodeInterpreterTool(), FileSearchTool(vector_store_ids=["v"])],
        )
        config = RunConfig(max_steps=100, timeout=300)
        result = await Runner.run(agent, input=text, run_config=config)
        return result.final_output


@workflow.defn
class ObservableWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        with trace("Agent Workflow"):
            with custom_span("Agent Execution"):
                agent = Agent(name="Observed", instructions="echo")
                result = await Runner.run(agent, text)
            return result.final_output


@workflow.defn
class ResilientWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        try:
            agent = Agent(name="Broken", instructions="fail")
            return (await Runner.run(agent, text)).final_output
        except Exception as error:  # noqa: BLE001  # as guides have it
            return await self.fallback_agent(f"{type(error).__name__} of {text}")

    async def fallback_agent(self, text: str) -> str:
        agent = Agent(name="Fallback", instructions="echo")
        return (await Runner.run(agent, text)).final_output


class AirlineContext(BaseModel):
    confirmation_number: str | None = None
    seat_number: str | None = None
    flight_number: str | None = None


@function_tool
async def update_seat(
    context: RunContextWrapper[AirlineContext], confirmation_number: str, new_seat: str
) -> str:
    """Changes the context, and does what no workflow may."""
    did(f"seat {new_seat} {time.time() > 0}")
    context.context.confirmation_number = confirmation_number
    context.context.seat_number = new_seat
    assert context.context.flight_number is not None, "Flight number is required"
    return f"Updated seat to {new_seat}"


async def on_seat_booking_handoff(context: RunContextWrapper[AirlineContext]) -> None:
    context.context.flight_number = f"FLT-{workflow.random().randint(100, 100)}"


@workflow.defn
class CustomerServiceWorkflow:
    @workflow.init
    def __init__(self) -> None:
        booking = Agent[AirlineContext](
            name="Seat Booking",
            instructions="call update_seat",
            tools=[update_seat],
        )
        triage = Agent[AirlineContext](
            name="Triage",
            instructions="hand off",
            handoffs=[handoff(agent=booking, on_handoff=on_seat_booking_handoff)],
        )
        booking.handoffs.append(triage)
        self.current_agent = triage
        self.context = AirlineContext()
        self.input_items: list[Any] = []
        self.printed_history: list[str] = []
        self.is_over = False

    @workflow.run
    async def run(self) -> AirlineContext:
        await workflow.wait_condition(lambda: self.is_over and workflow.all_handlers_finished())
        return self.context

    @workflow.query
    def get_chat_history(self) -> list[str]:
        return self.printed_history

    @workflow.update
    async def process_user_message(self, text: str) -> list[str]:
        length = len(self.printed_history)
        self.printed_history.append(f"User: {text}")
        with trace("Customer service", group_id=workflow.info().workflow_id):
            self.input_items.append({"content": text, "role": "user"})
            result = await Runner.run(
                self.current_agent, self.input_items, context=self.context, run_config=RunConfig()
            )
            self.printed_history += [f"{each.agent.name}: {each.type}" for each in result.new_items]
            self.input_items = result.to_input_list()
            self.current_agent = result.last_agent
        workflow.set_current_details("\n\n".join(self.printed_history))
        return self.printed_history[length:]

    @workflow.signal
    def leave(self) -> None:
        self.is_over = True


@workflow.defn
class StreamedWorkflow:
    @workflow.run
    async def run(self, text: str) -> list[str]:
        agent = Agent(
            name="Streamed", instructions="call multiply_by_two_tool", tools=[multiply_by_two_tool]
        )
        result = Runner.run_streamed(agent, text)
        names = [event.name async for event in result.stream_events() if hasattr(event, "name")]
        return [*names, result.final_output]


# --- What a workflow may not do. ---------------------------------------------------------


@dataclass
class Notes:
    lines: list[str] = field(default_factory=list)


@function_tool
def blocking(context: RunContextWrapper[Notes], url: str) -> str:
    """A clock, a file, a thread, a server: the everyday work of tools."""
    began = time.time()
    time.sleep(0.01)
    seen: list[bytes] = []

    def ask() -> None:
        with urllib.request.urlopen(url) as answer:
            seen.append(answer.read())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    with open(os.devnull) as nothing:  # noqa: PTH123  # as people write
        nothing.read()
    did(f"blocking {time.time() > began}")
    context.context.lines.append(seen[0].decode())
    return seen[0].decode()


@function_tool
async def threaded() -> str:
    """What asyncio does in threads."""
    did("threaded")
    return await asyncio.to_thread(lambda: f"{time.time() > 0}")


class ClockHooks(RunHooks):
    def __init__(self) -> None:
        self.times: list[float] = []

    async def on_tool_start(self, context: RunContextWrapper, agent: Agent, tool: Any) -> None:
        self.times.append(time.time())
        did(f"hook {tool.name}")


@input_guardrail
def clock_guardrail(context: RunContextWrapper, agent: Agent, input: Any) -> Any:
    """A blocking guardrail."""
    did("clock guardrail")
    return GuardrailFunctionOutput(output_info=time.time(), tripwire_triggered=False)


@workflow.defn
class BlockingWorkflow:
    @workflow.run
    async def run(self, url: str) -> list[Any]:
        notes, hooks = Notes(), ClockHooks()
        agent = Agent(
            name="Worker",
            instructions="call blocking, then threaded",
            tools=[blocking, threaded],
            input_guardrails=[clock_guardrail],
        )
        result = await Runner.run(agent, url, context=notes, hooks=hooks)
        return [result.final_output, notes.lines, len(hooks.times)]
