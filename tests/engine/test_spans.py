"""What a run tells those who trace it."""

from collections.abc import Generator
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, function_tool
from outlast.testing import ScriptedModel, assistant_message, function_call
from outlast.tracing import Span, Trace, TracingProcessor, custom_span, set_trace_provider, setup
from outlast.tracing.provider import DefaultTraceProvider


class Tree(TracingProcessor):
    """Spans by parent."""

    def __init__(self) -> None:
        self.spans: list[Span[Any]] = []
        self.events: list[str] = []

    def on_trace_start(self, trace: Trace) -> None:
        self.events.append("trace start")

    def on_trace_end(self, trace: Trace) -> None:
        self.events.append("trace end")

    def on_span_start(self, span: Span[Any]) -> None:
        self.spans.append(span)

    def on_span_end(self, span: Span[Any]) -> None:
        self.events.append(span.span_data.type)

    def shutdown(self) -> None: ...

    def force_flush(self) -> None: ...

    def lines(self, parent: str | None = None, depth: int = 0) -> list[str]:
        found: list[str] = []
        for span in self.spans:
            if span.parent_id == parent:
                name = getattr(span.span_data, "name", "")
                found.append(f"{'  ' * depth}{span.span_data.type} {name}".rstrip())
                found += self.lines(span.span_id, depth + 1)
        return found


@pytest.fixture
def tree() -> Generator[Tree]:
    before, made = setup.GLOBAL_TRACE_PROVIDER, Tree()
    provider = DefaultTraceProvider()
    provider.set_processors([made])
    set_trace_provider(provider)
    yield made
    setup.GLOBAL_TRACE_PROVIDER = before


@function_tool
def look() -> str:
    """Open a span of its own."""
    with custom_span("inside"):
        return "seen"


def agent(*steps: list[Any], **more: Any) -> Agent[Any]:
    model = ScriptedModel(list(steps), emit_traces=True)
    return Agent(name="finder", model=model, tools=[look], **more)


CALL = [function_call("look", {}, call_id="1")]
END = [assistant_message("done")]


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_run_is_a_tree_of_task_agent_turns_and_calls(tree: Tree, is_streamed: bool):
    if is_streamed:
        async for _ in Runner.run_streamed(agent(CALL, END), "go").stream_events():
            pass
    else:
        await Runner.run(agent(CALL, END), "go")
    assert tree.lines() == [
        "task Agent workflow",
        "  agent finder",
        "    turn",
        "      generation",
        "      function look",
        "        custom inside",
        "    turn",
        "      generation",
    ]
    assert all(span.ended_at for span in tree.spans)
    assert tree.events[0] == "trace start"
    assert tree.events[-2:] == ["task", "trace end"]


async def test_a_handoff_ends_the_span_of_one_agent_and_begins_that_of_the_next(tree: Tree):
    other = Agent(name="other", model=ScriptedModel([END]))
    handoff = [function_call("transfer_to_other", {}, call_id="1")]
    await Runner.run(agent(handoff, handoffs=[other]), "go")
    agents = [span for span in tree.spans if span.span_data.type == "agent"]
    assert [span.span_data.name for span in agents] == ["finder", "other"]
    assert agents[0].span_data.handoffs == ["other"]
    assert agents[0].parent_id == agents[1].parent_id


async def test_an_agent_as_a_tool_stands_below_the_call_that_it_answers(tree: Tree):
    inner = agent(END).as_tool("ask", "Ask.")
    model = ScriptedModel([[function_call("ask", {"input": "x"}, call_id="1")], END])
    await Runner.run(Agent(name="outer", model=model, tools=[inner]), "go")
    assert "      function ask" in tree.lines()
    assert "        task Agent workflow" in tree.lines()
    assert tree.events.count("trace start") == 1


async def test_a_traced_run_without_data_says_neither_what_was_given_nor_what_failed(tree: Tree):
    @function_tool(failure_error_function=None)
    def fail() -> str:
        """Fail."""
        raise ValueError("secret")

    model = ScriptedModel([[function_call("fail", {}, call_id="1")]])
    config = RunConfig(trace_include_sensitive_data=False)
    with pytest.raises(Exception, match="secret"):
        await Runner.run(Agent(name="a", model=model, tools=[fail]), "go", run_config=config)
    assert "secret" not in str([span.export() for span in tree.spans])
    assert [span.error["message"] for span in tree.spans if span.error] == [
        "Error in agent run",
        "Error running tool",
    ]


async def test_nothing_of_a_disabled_run_is_in_the_trace_around_it(tree: Tree):
    with custom_span("unheard"):
        await Runner.run(agent(CALL, END), "go", run_config=RunConfig(tracing_disabled=True))
    assert tree.spans == []
