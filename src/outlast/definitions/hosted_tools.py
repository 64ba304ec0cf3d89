"""Tools that the provider runs: search, code, images, remote MCP servers, tool search, programs.

The `name` of each is what tool choices call it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired

# Pydantic reads these classes when a user's function takes one, and needs this TypedDict for it.
from typing_extensions import TypedDict

from outlast.definitions.choices import check_choice
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.given import check_names
from outlast.definitions.tool_callers import OnApprovalFunctionResult, check_callers

if TYPE_CHECKING:
    from openai.types.responses.file_search_tool_param import Filters, RankingOptions
    from openai.types.responses.response_output_item import McpApprovalRequest
    from openai.types.responses.tool_param import CodeInterpreter, Mcp
    from openai.types.responses.web_search_tool import Filters as WebSearchToolFilters
    from openai.types.responses.web_search_tool_param import UserLocation


@dataclass
class FileSearchTool:
    """Searches vector stores."""

    name: ClassVar[str] = "file_search"

    vector_store_ids: list[str]
    max_num_results: int | None = None
    """1 to 50; None or 0 leaves it to the provider."""
    include_search_results: bool = False
    ranking_options: RankingOptions | None = None
    filters: Filters | None = None

    def __post_init__(self) -> None:
        check_names("FileSearchTool vector_store_ids", self.vector_store_ids)


_ContextSize = Literal["low", "medium", "high"]
_Execution = Literal["server", "client"]


class WebSearchToolImageSettings(TypedDict, total=False):
    """What image results of a web search should look like."""

    max_results: int
    caption: bool


@dataclass
class WebSearchTool:
    """Searches the web."""

    name: ClassVar[str] = "web_search"

    user_location: UserLocation | None = None
    filters: WebSearchToolFilters | None = None
    search_context_size: _ContextSize = "medium"
    external_web_access: bool | None = None
    search_content_types: list[Literal["text", "image"]] | None = None
    image_settings: WebSearchToolImageSettings | None = None

    def __post_init__(self) -> None:
        check_choice("WebSearchTool search_context_size", self.search_context_size, _ContextSize)
        given: Any = self.filters
        if isinstance(given, dict):
            from openai.types.responses.web_search_tool import Filters

            self.filters = Filters.model_validate(given)


@dataclass
class CodeInterpreterTool:
    """Runs code that the model writes, in a container of the provider."""

    name: ClassVar[str] = "code_interpreter"

    tool_config: CodeInterpreter
    """The tool as the API wants it."""

    def __post_init__(self) -> None:
        check_callers("code interpreter", self.tool_config.get("allowed_callers"))


class ImageGenerationInputImageMask(TypedDict, total=False):
    """The part of an image that may change: a file, or an image as a URL."""

    file_id: str
    image_url: str


class ImageGenerationToolConfig(TypedDict):
    """The image tool as the API wants it."""

    type: Literal["image_generation"]
    action: NotRequired[Literal["generate", "edit", "auto"]]
    background: NotRequired[Literal["transparent", "opaque", "auto"]]
    input_fidelity: NotRequired[Literal["high", "low"] | None]
    input_image_mask: NotRequired[ImageGenerationInputImageMask]
    model: NotRequired[str]
    moderation: NotRequired[Literal["auto", "low"]]
    output_compression: NotRequired[int]
    output_format: NotRequired[Literal["png", "webp", "jpeg"]]
    partial_images: NotRequired[int]
    quality: NotRequired[Literal["low", "medium", "high", "xhigh", "max", "auto"]]
    size: NotRequired[str]


@dataclass
class ImageGenerationTool:
    """Makes and edits images."""

    name: ClassVar[str] = "image_generation"

    tool_config: ImageGenerationToolConfig


@dataclass
class MCPToolApprovalRequest:
    """A call of a remote MCP tool that the provider holds back until somebody agrees."""

    ctx_wrapper: RunContextWrapper
    data: McpApprovalRequest


MCPToolApprovalFunctionResult = OnApprovalFunctionResult
MCPToolApprovalFunction = Callable[
    [MCPToolApprovalRequest],
    Awaitable[MCPToolApprovalFunctionResult] | MCPToolApprovalFunctionResult,
]


@dataclass
class HostedMCPTool:
    """A remote MCP server that the provider calls."""

    name: ClassVar[str] = "hosted_mcp"

    tool_config: Mcp
    """The tool as the API wants it."""
    on_approval_request: MCPToolApprovalFunction | None = None
    """Answers requests at once. Without it, each one interrupts the run."""

    def __post_init__(self) -> None:
        check_callers("hosted MCP tool", self.tool_config.get("allowed_callers"))


@dataclass
class ToolSearchTool:
    """Lets the model load tools that are marked `defer_loading`."""

    name: ClassVar[str] = "tool_search"

    description: str | None = None
    execution: _Execution | None = None
    parameters: object | None = None

    def __post_init__(self) -> None:
        check_choice("ToolSearchTool execution", self.execution, _Execution, may_be_none=True)


@dataclass
class ProgrammaticToolCallingTool:
    """Lets the model write programs that call the tools which allow it."""

    name: ClassVar[str] = "programmatic_tool_calling"
