"""Runs a workflow in Temporal's sandbox without a server, and its activities beside it.

    python host.py        prints what the workflow returned, as JSON

An activation is what a task of the server's is for a workflow. The activities are the performers that
the local engine has; the log comes to them as JSON, and so does their outcome leave.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
from driven_run import DrivenRun
from temporalio import workflow
from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.activity_result import ActivityResolution, Success
from temporalio.bridge.proto.workflow_activation import (
    InitializeWorkflow,
    ResolveActivity,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.converter import DataConverter
from temporalio.worker._workflow_instance import WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, _runner

from outlast import Agent, ModelResponse, RunConfig, RunHooks, Usage, function_tool
from outlast.core.decide import decide
from outlast.core.events import Event, RunStarted
from outlast.core.evolve import fold
from outlast.definitions.context import ToolContext
from outlast.definitions.model import Model
from outlast.effects.hook_calls import tell_hooks
from outlast.effects.live import Live
from outlast.effects.outcome import HookCall, Outcome
from outlast.effects.performers import perform
from outlast.effects.registry import Registry
from outlast.effects.scope import RunScope
from outlast.effects.view import RunView, restored_context
from outlast.testing import assistant_message, function_call

HEARD: list[str] = []


class Desk(Model):
    """Calls a tool, and hands off to the clerk, who has the last word."""

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        answered = {item["call_id"] for item in args[1] if "output" in item}
        steps = {"a": function_call("look", {"order": 7}, call_id="a")}
        steps["h"] = function_call("transfer_to_clerk", {}, call_id="h")
        left = [step for key, step in steps.items() if key not in answered]
        reply = left[0] if left else assistant_message("order 7 is on its way")
        return ModelResponse([reply], Usage(1, 10, None, 1, None, 11), None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@function_tool
async def look(ctx: ToolContext[Any], order: int) -> str:
    """Look an order up."""
    return await ctx.step("find", lambda: f"order {order}, {ctx.usage.total_tokens} tokens so far")


class Ears(RunHooks[Any]):
    """Hears what became of calls."""

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        HEARD.append(f"{agent.name}: {tool.name}: {result}")

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        HEARD.append(f"{from_agent.name} to {to_agent.name}")


def clerk_instructions(context: Any, agent: Any) -> str:
    """Dynamic instructions."""
    return f"You are {agent.name}."


CLERK = Agent(name="clerk", model=Desk(), instructions=clerk_instructions)
DESK = Agent(name="desk", model=Desk(), tools=[look], handoffs=[CLERK])
BLOBS: dict[str, bytes] = {}


async def blob(name: str) -> bytes:
    """What a worker reads from the shared store."""
    return BLOBS[name]


async def act(name: str, effect_id: str, log: str, hooks: str) -> str:
    """One activity."""
    state = fold(msgspec.json.decode(log, type=list[Event]))
    steps: list[Event] = []

    async def emit(*events: Event) -> None:
        steps.extend(events)

    view = RunView(
        run_id="r",
        state=state,
        agents=Registry(DESK),
        context=restored_context(None, state),
        config=RunConfig(tracing_disabled=True),
        hooks=Ears(),
        session=None,
        error_handlers=None,
        live=Live(),
        blobs=blob,
        health=lambda: NotImplemented,
        durability="",
        scope=RunScope("r"),
    )
    if name == "tell":
        for call in msgspec.json.decode(hooks, type=list[HookCall]):
            await tell_hooks(call, view)
        return ""
    effect = next(each for each in decide(state) if each.id == effect_id)
    outcome = await perform(effect, view, emit)
    BLOBS.update(outcome.blobs)
    return msgspec.json.encode(Outcome([*steps, *outcome.events], outcome.hooks)).decode()


async def main() -> None:
    """Activate the workflow until it has ended."""
    definition = workflow._Definition.must_from_class(DrivenRun)
    info = replace(_runner._fake_info, workflow_type=definition.name or "")
    details = WorkflowInstanceDetails(
        payload_converter_factory=DataConverter.default._new_payload_converter,
        failure_converter_class=DataConverter.default.failure_converter_class,
        interceptor_classes=[],
        defn=definition,
        info=info,
        randomness_seed=1,
        extern_functions={},
        disable_eager_activity_execution=False,
        worker_level_failure_exception_types=[],
        patch_activation_callback=None,
        last_completion_result=Payloads(),
        last_failure=Failure(),
    )
    instance = SandboxedWorkflowRunner().create_instance(details)
    converter = DataConverter.default.payload_converter
    begun = RunStarted("desk", [{"role": "user", "content": "Where is order 7?"}], is_text=True)
    started = msgspec.json.encode([begun]).decode()
    arguments = converter.to_payloads([started])
    job = WorkflowActivationJob(
        initialize_workflow=InitializeWorkflow(
            workflow_type=definition.name or "", workflow_id="w", arguments=arguments
        )
    )
    jobs = [job]
    while jobs:
        # In a thread, as a worker does: the workflow is the loop of its own thread meanwhile.
        activation = WorkflowActivation(run_id="r", jobs=jobs)
        done = await asyncio.to_thread(instance.activate, activation)
        assert not done.HasField("failed"), done.failed
        jobs = []
        for command in done.successful.commands:
            if command.HasField("complete_workflow_execution"):
                (result,) = converter.from_payloads([command.complete_workflow_execution.result])
                print(msgspec.json.encode({**result, "heard": HEARD}).decode())
            elif command.HasField("schedule_activity"):
                wanted = command.schedule_activity
                texts = converter.from_payloads(wanted.arguments)
                answer = await act(wanted.activity_type, *texts)
                (answer,) = converter.to_payloads([answer])
                resolution = ActivityResolution(completed=Success(result=answer))
                resolve = ResolveActivity(seq=wanted.seq, result=resolution)
                jobs.append(WorkflowActivationJob(resolve_activity=resolve))


if __name__ == "__main__":
    asyncio.run(main())
