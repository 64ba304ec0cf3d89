"""Names that guides import from `agents` and its modules, and openai-agents does not have."""

from __future__ import annotations

import enum
import importlib
from dataclasses import dataclass
from typing import Any

from outlast.core.errors import (
    AgentsException,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
)
from outlast.definitions.agent import Agent
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.guardrail import InputGuardrail
from outlast.definitions.output import AgentOutputSchema
from outlast.definitions.run_items import HandoffCallItem, HandoffOutputItem, ModelResponse
from outlast.definitions.schema import FuncSchema, function_schema
from outlast.definitions.tool import function_tool

FunctionAgent = Agent
RunContext = RunContextWrapper
MaxTurnsExceededError = MaxTurnsExceeded
HandoffItem = HandoffCallItem | HandoffOutputItem
RawResponsesFromModel = ModelResponse
AgentOutput = AgentOutputSchema
GuardrailTripwireTriggered = (InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered)
"""For `except`: a tripped guardrail of either kind."""


class ToolExecutionError(AgentsException):
    """A tool cannot do what it was asked to. Raised by tools of guides; the model is told."""


class GuardrailFailureMode(enum.Enum):
    """What happens when a `Guardrail` finds something."""

    RAISE = "raise"
    RAISE_EXCEPTION = "raise_exception"
    REJECT = "reject_content"
    BLOCK = "block"
    LOG = "log"
    WARN = "warn"
    ALLOW = "pass"


class RequireApprovalSetting(enum.StrEnum):
    """When a call of an MCP server's tool needs a person."""

    NEVER = "never"
    ALWAYS = "always"
    UNDETERMINED = "undetermined"


@dataclass
class ApprovalResult:
    """What a person has decided, for `Runner.resume(run_id=, approval_result=)`."""

    approved: bool
    message: str | None = None


@dataclass
class GuardrailOutput:
    """What a guardrail found, in the words of several guides."""

    should_block: bool = False
    content_filtered: bool = False
    policy_name: str | None = None
    policy_version: str | None = None
    content: Any = None
    behavior: dict[str, Any] | None = None
    message: str | None = None


@dataclass
class InputGuardrailOutputData:
    """What an input guardrail was asked about."""

    agents_input: Any = None


@dataclass
class OutputGuardrailOutputData:
    """What an output guardrail was asked about."""

    agent_output: Any = None


class Guardrail(InputGuardrail):
    """A guardrail by keywords; in `output_guardrails` it is a check of the output."""

    def __init__(
        self,
        guardrail_function: Any = None,
        *,
        guardrail_name: str | None = None,
        on_fail: GuardrailFailureMode | str = GuardrailFailureMode.RAISE,
        error_message: str | None = None,
        log: bool = False,
    ) -> None:
        super().__init__(guardrail_function or _lets_pass, guardrail_name)
        self.on_fail = on_fail
        self.error_message = error_message
        self.log = log


def _lets_pass(*_: Any) -> bool:
    return True


class FunctionSchema(FuncSchema):
    """A function's schema, with the constructor of guides."""

    @classmethod
    def from_fn(cls, function: Any, **options: Any) -> FunctionSchema:
        """The schema of ``function``."""
        schema = function_schema(function, **options)
        made = cls(**vars(schema))
        made.function = function
        return made

    function: Any = None

    def to_tool_definition(self) -> FunctionTool:
        """The tool that calls the function."""
        return function_tool(
            self.function, name_override=self.name, description_override=self.description
        )


def __getattr__(name: str) -> Any:
    if name == "MCPTool":
        return _mcp_tool()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def _mcp_tool() -> Any:
    try:
        return importlib.import_module("mcp.types").Tool
    except ImportError:
        return Any  # A type for annotations; without the library there is no server either.
