"""What an MCP server is to an agent: tools to list and call, prompts, resources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from outlast.definitions.agent import AgentBase
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.function_tool import ToolErrorFunction
from outlast.definitions.tool_guardrail import (
    ToolInputGuardrail,
    ToolOutputGuardrail,
    check_tool_guardrails,
)
from outlast.mcp.policies import (
    Approval,
    RequireApprovalSetting,
    UncertainSetting,
    approval_policy,
    check_uncertain,
)

if TYPE_CHECKING:
    from mcp.types import (
        CallToolResult,
        GetPromptResult,
        ListPromptsResult,
        ListResourcesResult,
        ListResourceTemplatesResult,
        ReadResourceResult,
        Tool as MCPTool,
    )


class _UnsetType:
    """The type of `_UNSET`."""

    def __repr__(self) -> str:
        return "<unset>"


_UNSET = _UnsetType()
"""Stands for what nobody has said, where None says something."""


@dataclass
class MCPToolMetaContext:
    """What is known when the `_meta` of a call is to be said."""

    run_context: RunContextWrapper
    server_name: str
    tool_name: str
    arguments: dict[str, Any] | None


@dataclass(frozen=True)
class MCPToolCustomDataContext:
    """A finished call, for whoever attaches data to its output."""

    run_context: RunContextWrapper
    server_name: str
    tool_name: str
    tool_display_name: str
    arguments: Mapping[str, Any]
    result_meta: Mapping[str, Any] | None
    structured_content: Mapping[str, Any] | None
    is_error: bool | None
    tool_output: Any


MCPToolMetaResolver: TypeAlias = Callable[[MCPToolMetaContext], Any]
"""Returns the `_meta` of a call, or None; sync or async."""
MCPToolCustomDataExtractor: TypeAlias = Callable[[MCPToolCustomDataContext], Any]
"""Returns data for the item of a call's output, or None; sync or async."""


def read_only(data: Any) -> Any:
    """A view of JSON that cannot be changed."""
    if isinstance(data, Mapping):
        return MappingProxyType({k: read_only(v) for k, v in data.items()})  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]  # JSON
    if isinstance(data, list):
        return tuple(read_only(each) for each in data)  # pyright: ignore[reportUnknownVariableType]  # JSON
    return data


class MCPServer(ABC):
    """A server that speaks MCP, or something that answers as one would.

    Derive from it to make your own: `connect`, `cleanup`, `name`, `list_tools`, `call_tool`,
    `list_prompts` and `get_prompt` are all that is needed.
    """

    use_structured_content: bool = False
    tool_meta_resolver: MCPToolMetaResolver | None = None
    custom_data_extractor: MCPToolCustomDataExtractor | None = None
    tool_input_guardrails: list[ToolInputGuardrail] | None = None
    tool_output_guardrails: list[ToolOutputGuardrail] | None = None
    on_uncertain: UncertainSetting = None
    max_result_bytes: int | None = 8 * 2**20
    # What a subclass that does not call this class's __init__ has.
    _approval: Approval = False
    _failure_error_function: ToolErrorFunction | _UnsetType | None = _UNSET

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        use_structured_content: bool = False,
        require_approval: RequireApprovalSetting = None,
        failure_error_function: ToolErrorFunction | _UnsetType | None = _UNSET,
        tool_meta_resolver: MCPToolMetaResolver | None = None,
        custom_data_extractor: MCPToolCustomDataExtractor | None = None,
        *,
        tool_input_guardrails: list[ToolInputGuardrail] | None = None,
        tool_output_guardrails: list[ToolOutputGuardrail] | None = None,
        on_uncertain: UncertainSetting = None,
        max_result_bytes: int | None = 8 * 2**20,
    ) -> None:
        """What all servers have.

        Args:
            use_structured_content: Whether the model gets a result's structured content in place of
                its text, where it has one.
            require_approval: Which calls need a person: "always", "never", a bool, a mapping from
                tool names to those, `{"always": {"tool_names": [...]}}`, or a function of context,
                agent and tool.
            failure_error_function: Makes the model's text of an error; None raises it. If it is not
                given, the agent's `mcp_config` decides, and then the default sentence.
            tool_meta_resolver: Says what travels as `_meta` with a call.
            custom_data_extractor: Says what is attached to an output's item, for your own use.
            tool_input_guardrails: For each of the server's tools.
            tool_output_guardrails: For each of the server's tools.
            on_uncertain: What to do about a call that was started and whose outcome is unknown after
                a crash: "retry", "once" or "ask", for all tools, by tool, or a function of the tool.
                By default tools that the server calls read-only or idempotent are called again, and
                of the others the model is told that nobody knows.
            max_result_bytes: How large a result may be; None for any size.

        Raises:
            UserError: One of the settings is none of its forms.
        """
        check_tool_guardrails("an MCP server", "input", tool_input_guardrails)
        check_tool_guardrails("an MCP server", "output", tool_output_guardrails)
        check_uncertain(on_uncertain)
        self.use_structured_content = use_structured_content
        self._approval = approval_policy(require_approval)
        self._failure_error_function = failure_error_function
        self.tool_meta_resolver = tool_meta_resolver
        self.custom_data_extractor = custom_data_extractor
        self.tool_input_guardrails = tool_input_guardrails
        self.tool_output_guardrails = tool_output_guardrails
        self.on_uncertain = on_uncertain
        self.max_result_bytes = max_result_bytes

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call the server."""

    @abstractmethod
    async def connect(self) -> None:
        """Begin to talk to the server."""

    @abstractmethod
    async def cleanup(self) -> None:
        """Stop talking to the server, and end it if it was started here."""

    @abstractmethod
    async def list_tools(
        self,
        run_context: RunContextWrapper | None = None,
        agent: AgentBase | None = None,
    ) -> list[MCPTool]:
        """The tools that there are for an agent now."""

    @abstractmethod
    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """What a tool answers."""

    @property
    def cached_tools(self) -> list[MCPTool] | None:
        """The tools as they were listed last, if they are kept."""
        return None

    @abstractmethod
    async def list_prompts(self) -> ListPromptsResult:
        """The server's prompts."""

    @abstractmethod
    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> GetPromptResult:
        """One of the server's prompts, with its arguments filled in."""

    async def list_resources(self, cursor: str | None = None) -> ListResourcesResult:
        """A page of what the server has to read.

        Raises:
            NotImplementedError: This kind of server has none.
        """
        raise NotImplementedError(self._lacks("list_resources"))

    async def list_resource_templates(
        self, cursor: str | None = None
    ) -> ListResourceTemplatesResult:
        """A page of what the server could make to read.

        Raises:
            NotImplementedError: This kind of server has none.
        """
        raise NotImplementedError(self._lacks("list_resource_templates"))

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """What stands in a resource.

        Raises:
            NotImplementedError: This kind of server has none.
        """
        raise NotImplementedError(self._lacks("read_resource"))

    def _lacks(self, method: str) -> str:
        return f"{type(self).__name__} does not implement {method}. Override it to have resources."

    @property
    def approval(self) -> Approval:
        """Whose calls need a person, in its checked form."""
        return self._approval

    def failure_function(self, fallback: ToolErrorFunction | None) -> ToolErrorFunction | None:
        """What makes the model's text of an error: the server's own, or ``fallback``."""
        own = self._failure_error_function
        return fallback if isinstance(own, _UnsetType) else own
