"""Runs one agent with a tool and a handoff under one tool for watching, and prints the tree that it saw.

Run by `test_third_parties.py`, in an environment of its own, with the name of the tool as its argument.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import outlast.compat

outlast.compat.install()

# What follows knows openai-agents only.
from agents import Agent, RunConfig, Runner, function_tool, set_trace_processors  # noqa: E402
from agents.testing import ScriptedModel, assistant_message, function_call  # noqa: E402


def run() -> None:
    @function_tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    closer = Agent(name="closer", model=ScriptedModel([[assistant_message("3")]], emit_traces=True))
    script = [
        [function_call("add", {"a": 1, "b": 2}, call_id="c1")],
        [function_call("transfer_to_closer", {}, call_id="c2")],
    ]
    model = ScriptedModel(script, emit_traces=True)
    desk = Agent(name="desk", tools=[add], handoffs=[closer], model=model)
    result = Runner.run_sync(desk, "1 + 2?", run_config=RunConfig(workflow_name="sums"))
    assert result.final_output == "3"


def otel_tree(spans: Any) -> list[list[str]]:
    names = {span.context.span_id: span.name for span in spans}
    ordered = sorted(spans, key=lambda span: span.start_time)
    return [[s.name, names.get(s.parent.span_id, "") if s.parent else ""] for s in ordered]


def _provider() -> tuple[Any, Any]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def logfire() -> list[list[str]]:
    import logfire as lf
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    lf.configure(
        send_to_logfire=False, console=False,
        additional_span_processors=[SimpleSpanProcessor(exporter)],
    )  # fmt: skip
    lf.instrument_openai_agents()
    run()
    return otel_tree(
        [s for s in exporter.get_finished_spans() if s.attributes["logfire.span_type"] == "span"]
    )


def openinference() -> list[list[str]]:
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    provider, exporter = _provider()
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    run()
    return otel_tree(exporter.get_finished_spans())


def traceloop() -> list[list[str]]:
    from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    provider, exporter = _provider()
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    run()
    return otel_tree(exporter.get_finished_spans())


def langfuse() -> list[list[str]]:
    from langfuse import Langfuse
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    provider, exporter = _provider()
    Langfuse(
        public_key="pk-lf-test", secret_key="sk-lf-test", host="http://127.0.0.1:9",
        tracer_provider=provider,
    )  # fmt: skip
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    run()
    return otel_tree(exporter.get_finished_spans())


def langsmith() -> list[list[str]]:
    from unittest.mock import MagicMock

    from langsmith import Client
    from langsmith.integrations.openai_agents_sdk import OpenAIAgentsTracingProcessor

    client = MagicMock(spec=Client)
    set_trace_processors([OpenAIAgentsTracingProcessor(client=client)])
    run()
    runs = {}
    for call in client.create_run.call_args_list:
        runs[str(call.kwargs.get("id"))] = call.kwargs
    ordered = sorted(runs.values(), key=lambda each: each["start_time"])
    names = {key: each["name"] for key, each in runs.items()}
    return [[each["name"], names.get(str(each.get("parent_run_id")), "")] for each in ordered]


TOOLS: dict[str, Callable[[], list[list[str]]]] = {
    "logfire": logfire,
    "openinference": openinference,
    "langfuse": langfuse,
    "traceloop": traceloop,
    "langsmith": langsmith,
}

if __name__ == "__main__":
    print("TREE", json.dumps(TOOLS[sys.argv[1]]()))
