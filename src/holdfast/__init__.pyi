# Written by `python tests/public_names.py` from the table in __init__.py.
from holdfast.core.errors import AgentsException as AgentsException
from holdfast.core.errors import AlreadyRunning as AlreadyRunning
from holdfast.core.errors import CircuitOpen as CircuitOpen
from holdfast.core.errors import Fenced as Fenced
from holdfast.core.errors import HandoffNotFound as HandoffNotFound
from holdfast.core.errors import IncompatibleRun as IncompatibleRun
from holdfast.core.errors import InputGuardrailTripwireTriggered as InputGuardrailTripwireTriggered
from holdfast.core.errors import JournalConflict as JournalConflict
from holdfast.core.errors import JournalCorrupt as JournalCorrupt
from holdfast.core.errors import JournalError as JournalError
from holdfast.core.errors import JournalUnavailable as JournalUnavailable
from holdfast.core.errors import MCPToolCancellationError as MCPToolCancellationError
from holdfast.core.errors import MaxTurnsExceeded as MaxTurnsExceeded
from holdfast.core.errors import ModelAuthError as ModelAuthError
from holdfast.core.errors import ModelBehaviorError as ModelBehaviorError
from holdfast.core.errors import ModelDeadlineExceeded as ModelDeadlineExceeded
from holdfast.core.errors import ModelLoopDetected as ModelLoopDetected
from holdfast.core.errors import ModelPaced as ModelPaced
from holdfast.core.errors import ModelRateLimited as ModelRateLimited
from holdfast.core.errors import ModelRedirected as ModelRedirected
from holdfast.core.errors import ModelRefusalError as ModelRefusalError
from holdfast.core.errors import ModelReplyMalformed as ModelReplyMalformed
from holdfast.core.errors import ModelRequestError as ModelRequestError
from holdfast.core.errors import ModelResponseTooLarge as ModelResponseTooLarge
from holdfast.core.errors import ModelStreamTruncated as ModelStreamTruncated
from holdfast.core.errors import ModelTimeoutError as ModelTimeoutError
from holdfast.core.errors import ModelUnavailable as ModelUnavailable
from holdfast.core.errors import OutputGuardrailTripwireTriggered as OutputGuardrailTripwireTriggered
from holdfast.core.errors import RunErrorDetails as RunErrorDetails
from holdfast.core.errors import RunNotFound as RunNotFound
from holdfast.core.errors import StorageBusy as StorageBusy
from holdfast.core.errors import StorageFull as StorageFull
from holdfast.core.errors import TooManyToolCalls as TooManyToolCalls
from holdfast.core.errors import ToolInputGuardrailTripwireTriggered as ToolInputGuardrailTripwireTriggered
from holdfast.core.errors import ToolOutputGuardrailTripwireTriggered as ToolOutputGuardrailTripwireTriggered
from holdfast.core.errors import ToolTimeoutError as ToolTimeoutError
from holdfast.core.errors import UserError as UserError
from holdfast.core.health import CircuitBreaker as CircuitBreaker
from holdfast.core.usage import RequestUsage as RequestUsage
from holdfast.core.usage import Usage as Usage
from holdfast.definitions.agent import Agent as Agent
from holdfast.definitions.agent import AgentBase as AgentBase
from holdfast.definitions.agent import AgentToolStreamEvent as AgentToolStreamEvent
from holdfast.definitions.agent import StopAtTools as StopAtTools
from holdfast.definitions.agent import ToolsToFinalOutputFunction as ToolsToFinalOutputFunction
from holdfast.definitions.agent import ToolsToFinalOutputResult as ToolsToFinalOutputResult
from holdfast.definitions.apply_diff import apply_diff as apply_diff
from holdfast.definitions.callers import ToolCaller as ToolCaller
from holdfast.definitions.computer import AsyncComputer as AsyncComputer
from holdfast.definitions.computer import Button as Button
from holdfast.definitions.computer import Computer as Computer
from holdfast.definitions.computer import ComputerProvider as ComputerProvider
from holdfast.definitions.computer import ComputerTool as ComputerTool
from holdfast.definitions.computer import ComputerToolCustomDataContext as ComputerToolCustomDataContext
from holdfast.definitions.computer import ComputerToolCustomDataExtractor as ComputerToolCustomDataExtractor
from holdfast.definitions.computer import Environment as Environment
from holdfast.definitions.computer import dispose_resolved_computers as dispose_resolved_computers
from holdfast.definitions.computer import resolve_computer as resolve_computer
from holdfast.definitions.context import AgentHookContext as AgentHookContext
from holdfast.definitions.context import RunContextWrapper as RunContextWrapper
from holdfast.definitions.context import TContext as TContext
from holdfast.definitions.context import ToolContext as ToolContext
from holdfast.definitions.custom_tool import CustomTool as CustomTool
from holdfast.definitions.custom_tool import CustomToolCustomDataContext as CustomToolCustomDataContext
from holdfast.definitions.custom_tool import CustomToolCustomDataExtractor as CustomToolCustomDataExtractor
from holdfast.definitions.editor import ApplyPatchEditor as ApplyPatchEditor
from holdfast.definitions.editor import ApplyPatchOperation as ApplyPatchOperation
from holdfast.definitions.editor import ApplyPatchResult as ApplyPatchResult
from holdfast.definitions.editor import ApplyPatchTool as ApplyPatchTool
from holdfast.definitions.editor import ApplyPatchToolCustomDataContext as ApplyPatchToolCustomDataContext
from holdfast.definitions.editor import ApplyPatchToolCustomDataExtractor as ApplyPatchToolCustomDataExtractor
from holdfast.definitions.function_tool import FunctionTool as FunctionTool
from holdfast.definitions.function_tool import FunctionToolCustomDataContext as FunctionToolCustomDataContext
from holdfast.definitions.function_tool import FunctionToolCustomDataExtractor as FunctionToolCustomDataExtractor
from holdfast.definitions.function_tool import FunctionToolResult as FunctionToolResult
from holdfast.definitions.function_tool import default_tool_error_function as default_tool_error_function
from holdfast.definitions.guardrail import GuardrailFunctionOutput as GuardrailFunctionOutput
from holdfast.definitions.guardrail import InputGuardrail as InputGuardrail
from holdfast.definitions.guardrail import InputGuardrailResult as InputGuardrailResult
from holdfast.definitions.guardrail import OutputGuardrail as OutputGuardrail
from holdfast.definitions.guardrail import OutputGuardrailResult as OutputGuardrailResult
from holdfast.definitions.guardrail import input_guardrail as input_guardrail
from holdfast.definitions.guardrail import output_guardrail as output_guardrail
from holdfast.definitions.handoff import Handoff as Handoff
from holdfast.definitions.handoff import HandoffInputData as HandoffInputData
from holdfast.definitions.handoff import HandoffInputFilter as HandoffInputFilter
from holdfast.definitions.handoff import handoff as handoff
from holdfast.definitions.handoff_history import default_handoff_history_mapper as default_handoff_history_mapper
from holdfast.definitions.handoff_history import get_conversation_history_wrappers as get_conversation_history_wrappers
from holdfast.definitions.handoff_history import nest_handoff_history as nest_handoff_history
from holdfast.definitions.handoff_history import reset_conversation_history_wrappers as reset_conversation_history_wrappers
from holdfast.definitions.handoff_history import set_conversation_history_wrappers as set_conversation_history_wrappers
from holdfast.definitions.hooks import AgentHooks as AgentHooks
from holdfast.definitions.hooks import RunHooks as RunHooks
from holdfast.definitions.hosted_tools import CodeInterpreterTool as CodeInterpreterTool
from holdfast.definitions.hosted_tools import FileSearchTool as FileSearchTool
from holdfast.definitions.hosted_tools import HostedMCPTool as HostedMCPTool
from holdfast.definitions.hosted_tools import ImageGenerationTool as ImageGenerationTool
from holdfast.definitions.hosted_tools import ImageGenerationToolConfig as ImageGenerationToolConfig
from holdfast.definitions.hosted_tools import MCPToolApprovalFunction as MCPToolApprovalFunction
from holdfast.definitions.hosted_tools import MCPToolApprovalFunctionResult as MCPToolApprovalFunctionResult
from holdfast.definitions.hosted_tools import MCPToolApprovalRequest as MCPToolApprovalRequest
from holdfast.definitions.hosted_tools import ProgrammaticToolCallingTool as ProgrammaticToolCallingTool
from holdfast.definitions.hosted_tools import ToolSearchTool as ToolSearchTool
from holdfast.definitions.hosted_tools import WebSearchTool as WebSearchTool
from holdfast.definitions.hosted_tools import WebSearchToolImageSettings as WebSearchToolImageSettings
from holdfast.definitions.limits import ModelLimits as ModelLimits
from holdfast.definitions.logger import enable_verbose_stdout_logging as enable_verbose_stdout_logging
from holdfast.definitions.model import Model as Model
from holdfast.definitions.model import ModelProvider as ModelProvider
from holdfast.definitions.model import ModelTracing as ModelTracing
from holdfast.definitions.openai_types import ShellToolContainerAutoEnvironment as ShellToolContainerAutoEnvironment
from holdfast.definitions.openai_types import ShellToolContainerNetworkPolicy as ShellToolContainerNetworkPolicy
from holdfast.definitions.openai_types import ShellToolContainerNetworkPolicyAllowlist as ShellToolContainerNetworkPolicyAllowlist
from holdfast.definitions.openai_types import ShellToolContainerNetworkPolicyDisabled as ShellToolContainerNetworkPolicyDisabled
from holdfast.definitions.openai_types import ShellToolContainerNetworkPolicyDomainSecret as ShellToolContainerNetworkPolicyDomainSecret
from holdfast.definitions.openai_types import ShellToolContainerReferenceEnvironment as ShellToolContainerReferenceEnvironment
from holdfast.definitions.openai_types import ShellToolContainerSkill as ShellToolContainerSkill
from holdfast.definitions.openai_types import ShellToolEnvironment as ShellToolEnvironment
from holdfast.definitions.openai_types import ShellToolHostedEnvironment as ShellToolHostedEnvironment
from holdfast.definitions.openai_types import ShellToolInlineSkill as ShellToolInlineSkill
from holdfast.definitions.openai_types import ShellToolInlineSkillSource as ShellToolInlineSkillSource
from holdfast.definitions.openai_types import ShellToolLocalEnvironment as ShellToolLocalEnvironment
from holdfast.definitions.openai_types import ShellToolLocalSkill as ShellToolLocalSkill
from holdfast.definitions.openai_types import ShellToolSkillReference as ShellToolSkillReference
from holdfast.definitions.openai_types import TResponseInputItem as TResponseInputItem
from holdfast.definitions.output import AgentOutputSchema as AgentOutputSchema
from holdfast.definitions.output import AgentOutputSchemaBase as AgentOutputSchemaBase
from holdfast.definitions.prompt import DynamicPromptFunction as DynamicPromptFunction
from holdfast.definitions.prompt import GenerateDynamicPromptData as GenerateDynamicPromptData
from holdfast.definitions.prompt import Prompt as Prompt
from holdfast.definitions.retry import ModelRetryAdvice as ModelRetryAdvice
from holdfast.definitions.retry import ModelRetryAdviceRequest as ModelRetryAdviceRequest
from holdfast.definitions.retry import ModelRetryBackoffSettings as ModelRetryBackoffSettings
from holdfast.definitions.retry import ModelRetryNormalizedError as ModelRetryNormalizedError
from holdfast.definitions.retry import ModelRetrySettings as ModelRetrySettings
from holdfast.definitions.retry import RetryDecision as RetryDecision
from holdfast.definitions.retry import RetryPolicy as RetryPolicy
from holdfast.definitions.retry import RetryPolicyContext as RetryPolicyContext
from holdfast.definitions.retry import retry_policies as retry_policies
from holdfast.definitions.run_items import CompactionItem as CompactionItem
from holdfast.definitions.run_items import HandoffCallItem as HandoffCallItem
from holdfast.definitions.run_items import HandoffOutputItem as HandoffOutputItem
from holdfast.definitions.run_items import InputItem as InputItem
from holdfast.definitions.run_items import ItemHelpers as ItemHelpers
from holdfast.definitions.run_items import MCPApprovalRequestItem as MCPApprovalRequestItem
from holdfast.definitions.run_items import MCPApprovalResponseItem as MCPApprovalResponseItem
from holdfast.definitions.run_items import MCPListToolsItem as MCPListToolsItem
from holdfast.definitions.run_items import MessageOutputItem as MessageOutputItem
from holdfast.definitions.run_items import ModelResponse as ModelResponse
from holdfast.definitions.run_items import ReasoningItem as ReasoningItem
from holdfast.definitions.run_items import RunItem as RunItem
from holdfast.definitions.run_items import ToolApprovalItem as ToolApprovalItem
from holdfast.definitions.run_items import ToolCallItem as ToolCallItem
from holdfast.definitions.run_items import ToolCallOutputItem as ToolCallOutputItem
from holdfast.definitions.run_items import ToolSearchCallItem as ToolSearchCallItem
from holdfast.definitions.run_items import ToolSearchOutputItem as ToolSearchOutputItem
from holdfast.definitions.settings import ModelSettings as ModelSettings
from holdfast.definitions.shell_tools import LocalShellCommandRequest as LocalShellCommandRequest
from holdfast.definitions.shell_tools import LocalShellExecutor as LocalShellExecutor
from holdfast.definitions.shell_tools import LocalShellTool as LocalShellTool
from holdfast.definitions.shell_tools import ShellActionRequest as ShellActionRequest
from holdfast.definitions.shell_tools import ShellCallData as ShellCallData
from holdfast.definitions.shell_tools import ShellCallOutcome as ShellCallOutcome
from holdfast.definitions.shell_tools import ShellCommandOutput as ShellCommandOutput
from holdfast.definitions.shell_tools import ShellCommandRequest as ShellCommandRequest
from holdfast.definitions.shell_tools import ShellExecutor as ShellExecutor
from holdfast.definitions.shell_tools import ShellResult as ShellResult
from holdfast.definitions.shell_tools import ShellTool as ShellTool
from holdfast.definitions.stream_events import AgentUpdatedStreamEvent as AgentUpdatedStreamEvent
from holdfast.definitions.stream_events import RawResponsesStreamEvent as RawResponsesStreamEvent
from holdfast.definitions.stream_events import RunItemStreamEvent as RunItemStreamEvent
from holdfast.definitions.stream_events import StreamEvent as StreamEvent
from holdfast.definitions.tool import Tool as Tool
from holdfast.definitions.tool import function_tool as function_tool
from holdfast.definitions.tool import tool_namespace as tool_namespace
from holdfast.definitions.tool_guardrail import ToolGuardrailFunctionOutput as ToolGuardrailFunctionOutput
from holdfast.definitions.tool_guardrail import ToolInputGuardrail as ToolInputGuardrail
from holdfast.definitions.tool_guardrail import ToolInputGuardrailData as ToolInputGuardrailData
from holdfast.definitions.tool_guardrail import ToolInputGuardrailResult as ToolInputGuardrailResult
from holdfast.definitions.tool_guardrail import ToolOutputGuardrail as ToolOutputGuardrail
from holdfast.definitions.tool_guardrail import ToolOutputGuardrailData as ToolOutputGuardrailData
from holdfast.definitions.tool_guardrail import ToolOutputGuardrailResult as ToolOutputGuardrailResult
from holdfast.definitions.tool_guardrail import tool_input_guardrail as tool_input_guardrail
from holdfast.definitions.tool_guardrail import tool_output_guardrail as tool_output_guardrail
from holdfast.definitions.tool_models import ToolOutputFileContent as ToolOutputFileContent
from holdfast.definitions.tool_models import ToolOutputImage as ToolOutputImage
from holdfast.definitions.tool_models import ToolOutputText as ToolOutputText
from holdfast.definitions.tool_origin import ToolOrigin as ToolOrigin
from holdfast.definitions.tool_origin import ToolOriginType as ToolOriginType
from holdfast.definitions.tool_output import ToolOutputFileContentDict as ToolOutputFileContentDict
from holdfast.definitions.tool_output import ToolOutputImageDict as ToolOutputImageDict
from holdfast.definitions.tool_output import ToolOutputTextDict as ToolOutputTextDict
from holdfast.engine.config import OutputGuardrailBlockedMessageArgs as OutputGuardrailBlockedMessageArgs
from holdfast.engine.config import OutputGuardrailBlockedMessageFormatter as OutputGuardrailBlockedMessageFormatter
from holdfast.engine.config import ReasoningItemIdPolicy as ReasoningItemIdPolicy
from holdfast.engine.config import RunConfig as RunConfig
from holdfast.engine.config import ToolErrorFormatter as ToolErrorFormatter
from holdfast.engine.config import ToolErrorFormatterArgs as ToolErrorFormatterArgs
from holdfast.engine.config import ToolExecutionConfig as ToolExecutionConfig
from holdfast.engine.config import ToolNameCollisionPolicy as ToolNameCollisionPolicy
from holdfast.engine.config import ToolNotFoundBehavior as ToolNotFoundBehavior
from holdfast.engine.error_handlers import RunErrorData as RunErrorData
from holdfast.engine.error_handlers import RunErrorHandler as RunErrorHandler
from holdfast.engine.error_handlers import RunErrorHandlerInput as RunErrorHandlerInput
from holdfast.engine.error_handlers import RunErrorHandlerResult as RunErrorHandlerResult
from holdfast.engine.error_handlers import RunErrorHandlers as RunErrorHandlers
from holdfast.models.chat import OpenAIChatCompletionsModel as OpenAIChatCompletionsModel
from holdfast.models.defaults import OpenAIAgentRegistrationConfig as OpenAIAgentRegistrationConfig
from holdfast.models.defaults import set_default_openai_agent_registration as set_default_openai_agent_registration
from holdfast.models.defaults import set_default_openai_api as set_default_openai_api
from holdfast.models.defaults import set_default_openai_client as set_default_openai_client
from holdfast.models.defaults import set_default_openai_harness as set_default_openai_harness
from holdfast.models.defaults import set_default_openai_key as set_default_openai_key
from holdfast.models.defaults import set_default_openai_responses_transport as set_default_openai_responses_transport
from holdfast.models.fallback import FallbackModel as FallbackModel
from holdfast.models.fallback import Paced as Paced
from holdfast.models.offline import OfflineModel as OfflineModel
from holdfast.models.provider import MultiProvider as MultiProvider
from holdfast.models.provider import OpenAIProvider as OpenAIProvider
from holdfast.models.responses import OpenAIResponsesModel as OpenAIResponsesModel
from holdfast.models.responses_ws import OpenAIResponsesWSModel as OpenAIResponsesWSModel
from holdfast.models.responses_ws import OpenAIResponsesWebSocketOptions as OpenAIResponsesWebSocketOptions
from holdfast.models.responses_ws import ResponsesWebSocketError as ResponsesWebSocketError
from holdfast.run.recover import recover_runs as recover_runs
from holdfast.run.repl import run_demo_loop as run_demo_loop
from holdfast.run.responses_session import ResponsesWebSocketSession as ResponsesWebSocketSession
from holdfast.run.responses_session import responses_websocket_session as responses_websocket_session
from holdfast.run.result import AgentToolInvocation as AgentToolInvocation
from holdfast.run.result import RunResult as RunResult
from holdfast.run.run_state import RunState as RunState
from holdfast.run.runner import Runner as Runner
from holdfast.run.stream import RunResultStreaming as RunResultStreaming
from holdfast.sessions.session import OpenAIResponsesCompactionArgs as OpenAIResponsesCompactionArgs
from holdfast.sessions.session import OpenAIResponsesCompactionAwareSession as OpenAIResponsesCompactionAwareSession
from holdfast.sessions.session import Session as Session
from holdfast.sessions.session import SessionABC as SessionABC
from holdfast.sessions.session import SessionSettings as SessionSettings
from holdfast.sessions.session import is_openai_responses_compaction_aware_session as is_openai_responses_compaction_aware_session
from holdfast.sessions.sqlite import SQLiteSession as SQLiteSession
from holdfast.tracing.create import agent_span as agent_span
from holdfast.tracing.create import custom_span as custom_span
from holdfast.tracing.create import function_span as function_span
from holdfast.tracing.create import generation_span as generation_span
from holdfast.tracing.create import get_current_span as get_current_span
from holdfast.tracing.create import get_current_trace as get_current_trace
from holdfast.tracing.create import guardrail_span as guardrail_span
from holdfast.tracing.create import handoff_span as handoff_span
from holdfast.tracing.create import mcp_tools_span as mcp_tools_span
from holdfast.tracing.create import response_span as response_span
from holdfast.tracing.create import speech_group_span as speech_group_span
from holdfast.tracing.create import speech_span as speech_span
from holdfast.tracing.create import task_span as task_span
from holdfast.tracing.create import trace as trace
from holdfast.tracing.create import transcription_span as transcription_span
from holdfast.tracing.create import turn_span as turn_span
from holdfast.tracing.interface import Span as Span
from holdfast.tracing.interface import SpanError as SpanError
from holdfast.tracing.interface import Trace as Trace
from holdfast.tracing.interface import TracingProcessor as TracingProcessor
from holdfast.tracing.setup import add_trace_processor as add_trace_processor
from holdfast.tracing.setup import flush_traces as flush_traces
from holdfast.tracing.setup import set_trace_processors as set_trace_processors
from holdfast.tracing.setup import set_trace_provider as set_trace_provider
from holdfast.tracing.setup import set_tracing_disabled as set_tracing_disabled
from holdfast.tracing.setup import set_tracing_export_api_key as set_tracing_export_api_key
from holdfast.tracing.span_data import AgentSpanData as AgentSpanData
from holdfast.tracing.span_data import CustomSpanData as CustomSpanData
from holdfast.tracing.span_data import FunctionSpanData as FunctionSpanData
from holdfast.tracing.span_data import GenerationSpanData as GenerationSpanData
from holdfast.tracing.span_data import GuardrailSpanData as GuardrailSpanData
from holdfast.tracing.span_data import HandoffSpanData as HandoffSpanData
from holdfast.tracing.span_data import MCPListToolsSpanData as MCPListToolsSpanData
from holdfast.tracing.span_data import ResponseSpanData as ResponseSpanData
from holdfast.tracing.span_data import SpanData as SpanData
from holdfast.tracing.span_data import SpeechGroupSpanData as SpeechGroupSpanData
from holdfast.tracing.span_data import SpeechSpanData as SpeechSpanData
from holdfast.tracing.span_data import TaskSpanData as TaskSpanData
from holdfast.tracing.span_data import TranscriptionSpanData as TranscriptionSpanData
from holdfast.tracing.span_data import TurnSpanData as TurnSpanData
from holdfast.tracing.util import gen_span_id as gen_span_id
from holdfast.tracing.util import gen_trace_id as gen_trace_id
from holdfast.version import __version__ as __version__

__all__ = [
    "Agent",
    "AgentBase",
    "AgentHookContext",
    "AgentHooks",
    "AgentOutputSchema",
    "AgentOutputSchemaBase",
    "AgentSpanData",
    "AgentToolInvocation",
    "AgentToolStreamEvent",
    "AgentUpdatedStreamEvent",
    "AgentsException",
    "AlreadyRunning",
    "ApplyPatchEditor",
    "ApplyPatchOperation",
    "ApplyPatchResult",
    "ApplyPatchTool",
    "ApplyPatchToolCustomDataContext",
    "ApplyPatchToolCustomDataExtractor",
    "AsyncComputer",
    "Button",
    "CircuitBreaker",
    "CircuitOpen",
    "CodeInterpreterTool",
    "CompactionItem",
    "Computer",
    "ComputerProvider",
    "ComputerTool",
    "ComputerToolCustomDataContext",
    "ComputerToolCustomDataExtractor",
    "CustomSpanData",
    "CustomTool",
    "CustomToolCustomDataContext",
    "CustomToolCustomDataExtractor",
    "DynamicPromptFunction",
    "Environment",
    "FallbackModel",
    "Fenced",
    "FileSearchTool",
    "FunctionSpanData",
    "FunctionTool",
    "FunctionToolCustomDataContext",
    "FunctionToolCustomDataExtractor",
    "FunctionToolResult",
    "GenerateDynamicPromptData",
    "GenerationSpanData",
    "GuardrailFunctionOutput",
    "GuardrailSpanData",
    "Handoff",
    "HandoffCallItem",
    "HandoffInputData",
    "HandoffInputFilter",
    "HandoffNotFound",
    "HandoffOutputItem",
    "HandoffSpanData",
    "HostedMCPTool",
    "ImageGenerationTool",
    "ImageGenerationToolConfig",
    "IncompatibleRun",
    "InputGuardrail",
    "InputGuardrailResult",
    "InputGuardrailTripwireTriggered",
    "InputItem",
    "ItemHelpers",
    "JournalConflict",
    "JournalCorrupt",
    "JournalError",
    "JournalUnavailable",
    "LocalShellCommandRequest",
    "LocalShellExecutor",
    "LocalShellTool",
    "MCPApprovalRequestItem",
    "MCPApprovalResponseItem",
    "MCPListToolsItem",
    "MCPListToolsSpanData",
    "MCPToolApprovalFunction",
    "MCPToolApprovalFunctionResult",
    "MCPToolApprovalRequest",
    "MCPToolCancellationError",
    "MaxTurnsExceeded",
    "MessageOutputItem",
    "Model",
    "ModelAuthError",
    "ModelBehaviorError",
    "ModelDeadlineExceeded",
    "ModelLimits",
    "ModelLoopDetected",
    "ModelPaced",
    "ModelProvider",
    "ModelRateLimited",
    "ModelRedirected",
    "ModelRefusalError",
    "ModelReplyMalformed",
    "ModelRequestError",
    "ModelResponse",
    "ModelResponseTooLarge",
    "ModelRetryAdvice",
    "ModelRetryAdviceRequest",
    "ModelRetryBackoffSettings",
    "ModelRetryNormalizedError",
    "ModelRetrySettings",
    "ModelSettings",
    "ModelStreamTruncated",
    "ModelTimeoutError",
    "ModelTracing",
    "ModelUnavailable",
    "MultiProvider",
    "OfflineModel",
    "OpenAIAgentRegistrationConfig",
    "OpenAIChatCompletionsModel",
    "OpenAIProvider",
    "OpenAIResponsesCompactionArgs",
    "OpenAIResponsesCompactionAwareSession",
    "OpenAIResponsesModel",
    "OpenAIResponsesWSModel",
    "OpenAIResponsesWebSocketOptions",
    "OutputGuardrail",
    "OutputGuardrailBlockedMessageArgs",
    "OutputGuardrailBlockedMessageFormatter",
    "OutputGuardrailResult",
    "OutputGuardrailTripwireTriggered",
    "Paced",
    "ProgrammaticToolCallingTool",
    "Prompt",
    "RawResponsesStreamEvent",
    "ReasoningItem",
    "ReasoningItemIdPolicy",
    "RequestUsage",
    "ResponseSpanData",
    "ResponsesWebSocketError",
    "ResponsesWebSocketSession",
    "RetryDecision",
    "RetryPolicy",
    "RetryPolicyContext",
    "RunConfig",
    "RunContextWrapper",
    "RunErrorData",
    "RunErrorDetails",
    "RunErrorHandler",
    "RunErrorHandlerInput",
    "RunErrorHandlerResult",
    "RunErrorHandlers",
    "RunHooks",
    "RunItem",
    "RunItemStreamEvent",
    "RunNotFound",
    "RunResult",
    "RunResultStreaming",
    "RunState",
    "Runner",
    "SQLiteSession",
    "Session",
    "SessionABC",
    "SessionSettings",
    "ShellActionRequest",
    "ShellCallData",
    "ShellCallOutcome",
    "ShellCommandOutput",
    "ShellCommandRequest",
    "ShellExecutor",
    "ShellResult",
    "ShellTool",
    "ShellToolContainerAutoEnvironment",
    "ShellToolContainerNetworkPolicy",
    "ShellToolContainerNetworkPolicyAllowlist",
    "ShellToolContainerNetworkPolicyDisabled",
    "ShellToolContainerNetworkPolicyDomainSecret",
    "ShellToolContainerReferenceEnvironment",
    "ShellToolContainerSkill",
    "ShellToolEnvironment",
    "ShellToolHostedEnvironment",
    "ShellToolInlineSkill",
    "ShellToolInlineSkillSource",
    "ShellToolLocalEnvironment",
    "ShellToolLocalSkill",
    "ShellToolSkillReference",
    "Span",
    "SpanData",
    "SpanError",
    "SpeechGroupSpanData",
    "SpeechSpanData",
    "StopAtTools",
    "StorageBusy",
    "StorageFull",
    "StreamEvent",
    "TContext",
    "TResponseInputItem",
    "TaskSpanData",
    "TooManyToolCalls",
    "Tool",
    "ToolApprovalItem",
    "ToolCallItem",
    "ToolCallOutputItem",
    "ToolCaller",
    "ToolContext",
    "ToolErrorFormatter",
    "ToolErrorFormatterArgs",
    "ToolExecutionConfig",
    "ToolGuardrailFunctionOutput",
    "ToolInputGuardrail",
    "ToolInputGuardrailData",
    "ToolInputGuardrailResult",
    "ToolInputGuardrailTripwireTriggered",
    "ToolNameCollisionPolicy",
    "ToolNotFoundBehavior",
    "ToolOrigin",
    "ToolOriginType",
    "ToolOutputFileContent",
    "ToolOutputFileContentDict",
    "ToolOutputGuardrail",
    "ToolOutputGuardrailData",
    "ToolOutputGuardrailResult",
    "ToolOutputGuardrailTripwireTriggered",
    "ToolOutputImage",
    "ToolOutputImageDict",
    "ToolOutputText",
    "ToolOutputTextDict",
    "ToolSearchCallItem",
    "ToolSearchOutputItem",
    "ToolSearchTool",
    "ToolTimeoutError",
    "ToolsToFinalOutputFunction",
    "ToolsToFinalOutputResult",
    "Trace",
    "TracingProcessor",
    "TranscriptionSpanData",
    "TurnSpanData",
    "Usage",
    "UserError",
    "WebSearchTool",
    "WebSearchToolImageSettings",
    "__version__",
    "add_trace_processor",
    "agent_span",
    "apply_diff",
    "custom_span",
    "default_handoff_history_mapper",
    "default_tool_error_function",
    "dispose_resolved_computers",
    "enable_verbose_stdout_logging",
    "flush_traces",
    "function_span",
    "function_tool",
    "gen_span_id",
    "gen_trace_id",
    "generation_span",
    "get_conversation_history_wrappers",
    "get_current_span",
    "get_current_trace",
    "guardrail_span",
    "handoff",
    "handoff_span",
    "input_guardrail",
    "is_openai_responses_compaction_aware_session",
    "mcp_tools_span",
    "nest_handoff_history",
    "output_guardrail",
    "recover_runs",
    "reset_conversation_history_wrappers",
    "resolve_computer",
    "response_span",
    "responses_websocket_session",
    "retry_policies",
    "run_demo_loop",
    "set_conversation_history_wrappers",
    "set_default_openai_agent_registration",
    "set_default_openai_api",
    "set_default_openai_client",
    "set_default_openai_harness",
    "set_default_openai_key",
    "set_default_openai_responses_transport",
    "set_trace_processors",
    "set_trace_provider",
    "set_tracing_disabled",
    "set_tracing_export_api_key",
    "speech_group_span",
    "speech_span",
    "task_span",
    "tool_input_guardrail",
    "tool_namespace",
    "tool_output_guardrail",
    "trace",
    "transcription_span",
    "turn_span",
]
