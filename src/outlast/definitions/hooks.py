"""Methods that are called at the turning points of a run. Override what you need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from outlast.definitions.context import TContext

if TYPE_CHECKING:
    from outlast.definitions.context import AgentHookContext, RunContextWrapper
    from outlast.definitions.openai_types import TResponseInputItem
    from outlast.definitions.run_items import ModelResponse

TAgent = TypeVar("TAgent", default=Any)


class _Hooks(Generic[TContext, TAgent]):
    async def on_llm_start(
        self,
        context: RunContextWrapper[TContext],
        agent: Any,
        system_prompt: str | None,
        input_items: list[TResponseInputItem],
    ) -> None:
        """A model is about to be called."""

    async def on_llm_end(
        self, context: RunContextWrapper[TContext], agent: Any, response: ModelResponse
    ) -> None:
        """A model has answered."""

    async def on_tool_start(
        self, context: RunContextWrapper[TContext], agent: TAgent, tool: Any
    ) -> None:
        """A local tool is about to be called. For function tools, `context` is a `ToolContext`."""

    async def on_tool_end(
        self, context: RunContextWrapper[TContext], agent: TAgent, tool: Any, result: object
    ) -> None:
        """A local tool has answered."""


class RunHooksBase(_Hooks[TContext, TAgent]):
    """What happens in a run, whichever agent leads it."""

    async def on_agent_start(self, context: AgentHookContext[TContext], agent: TAgent) -> None:
        """An agent takes the lead: at the start and after each handoff."""

    async def on_agent_end(
        self, context: AgentHookContext[TContext], agent: TAgent, output: Any
    ) -> None:
        """The run has a final output."""

    async def on_handoff(
        self, context: RunContextWrapper[TContext], from_agent: TAgent, to_agent: TAgent
    ) -> None:
        """The lead goes to another agent."""


class AgentHooksBase(_Hooks[TContext, TAgent]):
    """What happens while one particular agent leads."""

    async def on_start(self, context: AgentHookContext[TContext], agent: TAgent) -> None:
        """The agent takes the lead."""

    async def on_end(self, context: AgentHookContext[TContext], agent: TAgent, output: Any) -> None:
        """The agent has given the final output."""

    async def on_handoff(
        self, context: RunContextWrapper[TContext], agent: TAgent, source: TAgent
    ) -> None:
        """The agent hands the lead on: `agent` is the new one, `source` this one."""


RunHooks = RunHooksBase[TContext, Any]
AgentHooks = AgentHooksBase[TContext, Any]
