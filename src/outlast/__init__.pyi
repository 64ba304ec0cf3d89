# Written by `python tests/public_names.py` from the table in __init__.py.
from outlast.calls.fallback import FallbackModel as FallbackModel
from outlast.calls.fallback import Paced as Paced
from outlast.calls.health import CircuitBreaker as CircuitBreaker
from outlast.calls.prices import Price as Price
from outlast.calls.prices import PriceTable as PriceTable
from outlast.compat.borrowed import AsyncOpenAI as AsyncOpenAI
from outlast.core.errors import AgentsException as AgentsException
from outlast.core.errors import AlreadyDecided as AlreadyDecided
from outlast.core.errors import AlreadyRunning as AlreadyRunning
from outlast.core.errors import BudgetExceeded as BudgetExceeded
from outlast.core.errors import CallNotFound as CallNotFound
from outlast.core.errors import CircuitOpen as CircuitOpen
from outlast.core.errors import Fenced as Fenced
from outlast.core.errors import HandoffNotFound as HandoffNotFound
from outlast.core.errors import IncompatibleRun as IncompatibleRun
from outlast.core.errors import InputGuardrailTripwireTriggered as InputGuardrailTripwireTriggered
from outlast.core.errors import JournalConflict as JournalConflict
from outlast.core.errors import JournalCorrupt as JournalCorrupt
from outlast.core.errors import JournalError as JournalError
from outlast.core.errors import JournalUnavailable as JournalUnavailable
from outlast.core.errors import MCPToolCancellationError as MCPToolCancellationError
from outlast.core.errors import MaxTurnsExceeded as MaxTurnsExceeded
from outlast.core.errors import ModelAnswerFailed as ModelAnswerFailed
from outlast.core.errors import ModelAuthError as ModelAuthError
from outlast.core.errors import ModelBehaviorError as ModelBehaviorError
from outlast.core.errors import ModelDeadlineExceeded as ModelDeadlineExceeded
from outlast.core.errors import ModelLoopDetected as ModelLoopDetected
from outlast.core.errors import ModelPaced as ModelPaced
from outlast.core.errors import ModelRateLimited as ModelRateLimited
from outlast.core.errors import ModelRedirected as ModelRedirected
from outlast.core.errors import ModelRefusalError as ModelRefusalError
from outlast.core.errors import ModelReplyMalformed as ModelReplyMalformed
from outlast.core.errors import ModelRequestError as ModelRequestError
from outlast.core.errors import ModelResponseTooLarge as ModelResponseTooLarge
from outlast.core.errors import ModelStreamTruncated as ModelStreamTruncated
from outlast.core.errors import ModelTimeoutError as ModelTimeoutError
from outlast.core.errors import ModelUnavailable as ModelUnavailable
from outlast.core.errors import OutputGuardrailTripwireTriggered as OutputGuardrailTripwireTriggered
from outlast.core.errors import RunConflict as RunConflict
from outlast.core.errors import RunFailedBefore as RunFailedBefore
from outlast.core.errors import RunHasEnded as RunHasEnded
from outlast.core.errors import RunIsPaused as RunIsPaused
from outlast.core.errors import RunNotFound as RunNotFound
from outlast.core.errors import RunParked as RunParked
from outlast.core.errors import StateMismatch as StateMismatch
from outlast.core.errors import StorageBusy as StorageBusy
from outlast.core.errors import StorageFull as StorageFull
from outlast.core.errors import TooManyToolCalls as TooManyToolCalls
from outlast.core.errors import ToolInputGuardrailTripwireTriggered as ToolInputGuardrailTripwireTriggered
from outlast.core.errors import ToolOutputGuardrailTripwireTriggered as ToolOutputGuardrailTripwireTriggered
from outlast.core.errors import ToolTimeoutError as ToolTimeoutError
from outlast.core.errors import UserError as UserError
from outlast.core.identity import RunMetadata as RunMetadata
from outlast.core.run_data import RunErrorDetails as RunErrorDetails
from outlast.core.usage import RequestUsage as RequestUsage
from outlast.core.usage import Usage as Usage
from outlast.definitions.agent import Agent as Agent
from outlast.definitions.agent import AgentBase as AgentBase
from outlast.definitions.agent import AgentToolStreamEvent as AgentToolStreamEvent
from outlast.definitions.agent import StopAtTools as StopAtTools
from outlast.definitions.agent import ToolsToFinalOutputFunction as ToolsToFinalOutputFunction
from outlast.definitions.agent import ToolsToFinalOutputResult as ToolsToFinalOutputResult
from outlast.definitions.apply_diff import apply_diff as apply_diff
from outlast.definitions.approval_rules import ApprovalRules as ApprovalRules
from outlast.definitions.budget import Budget as Budget
from outlast.definitions.compaction import Compaction as Compaction
from outlast.definitions.computer import AsyncComputer as AsyncComputer
from outlast.definitions.computer import Button as Button
from outlast.definitions.computer import Computer as Computer
from outlast.definitions.computer import ComputerProvider as ComputerProvider
from outlast.definitions.computer import ComputerTool as ComputerTool
from outlast.definitions.computer import ComputerToolCustomDataContext as ComputerToolCustomDataContext
from outlast.definitions.computer import ComputerToolCustomDataExtractor as ComputerToolCustomDataExtractor
from outlast.definitions.computer import Environment as Environment
from outlast.definitions.computer import dispose_resolved_computers as dispose_resolved_computers
from outlast.definitions.computer import resolve_computer as resolve_computer
from outlast.definitions.context import AgentHookContext as AgentHookContext
from outlast.definitions.context import RunContextWrapper as RunContextWrapper
from outlast.definitions.context import TContext as TContext
from outlast.definitions.context import ToolContext as ToolContext
from outlast.definitions.custom_tool import CustomTool as CustomTool
from outlast.definitions.custom_tool import CustomToolCustomDataContext as CustomToolCustomDataContext
from outlast.definitions.custom_tool import CustomToolCustomDataExtractor as CustomToolCustomDataExtractor
from outlast.definitions.editor import ApplyPatchEditor as ApplyPatchEditor
from outlast.definitions.editor import ApplyPatchOperation as ApplyPatchOperation
from outlast.definitions.editor import ApplyPatchResult as ApplyPatchResult
from outlast.definitions.editor import ApplyPatchTool as ApplyPatchTool
from outlast.definitions.editor import ApplyPatchToolCustomDataContext as ApplyPatchToolCustomDataContext
from outlast.definitions.editor import ApplyPatchToolCustomDataExtractor as ApplyPatchToolCustomDataExtractor
from outlast.definitions.function_tool import FunctionTool as FunctionTool
from outlast.definitions.function_tool import FunctionToolCustomDataContext as FunctionToolCustomDataContext
from outlast.definitions.function_tool import FunctionToolCustomDataExtractor as FunctionToolCustomDataExtractor
from outlast.definitions.function_tool import FunctionToolResult as FunctionToolResult
from outlast.definitions.function_tool import default_tool_error_function as default_tool_error_function
from outlast.definitions.guardrail import GuardrailFunctionOutput as GuardrailFunctionOutput
from outlast.definitions.guardrail import InputGuardrail as InputGuardrail
from outlast.definitions.guardrail import InputGuardrailResult as InputGuardrailResult
from outlast.definitions.guardrail import OutputGuardrail as OutputGuardrail
from outlast.definitions.guardrail import OutputGuardrailResult as OutputGuardrailResult
from outlast.definitions.guardrail import input_guardrail as input_guardrail
from outlast.definitions.guardrail import output_guardrail as output_guardrail
from outlast.definitions.handoff import Handoff as Handoff
from outlast.definitions.handoff import HandoffInputData as HandoffInputData
from outlast.definitions.handoff import HandoffInputFilter as HandoffInputFilter
from outlast.definitions.handoff import handoff as handoff
from outlast.definitions.handoff_history import default_handoff_history_mapper as default_handoff_history_mapper
from outlast.definitions.handoff_history import get_conversation_history_wrappers as get_conversation_history_wrappers
from outlast.definitions.handoff_history import nest_handoff_history as nest_handoff_history
from outlast.definitions.handoff_history import reset_conversation_history_wrappers as reset_conversation_history_wrappers
from outlast.definitions.handoff_history import set_conversation_history_wrappers as set_conversation_history_wrappers
from outlast.definitions.hooks import AgentHooks as AgentHooks
from outlast.definitions.hooks import RunHooks as RunHooks
from outlast.definitions.hosted_tools import CodeInterpreterTool as CodeInterpreterTool
from outlast.definitions.hosted_tools import FileSearchTool as FileSearchTool
from outlast.definitions.hosted_tools import HostedMCPTool as HostedMCPTool
from outlast.definitions.hosted_tools import ImageGenerationTool as ImageGenerationTool
from outlast.definitions.hosted_tools import ImageGenerationToolConfig as ImageGenerationToolConfig
from outlast.definitions.hosted_tools import MCPToolApprovalFunction as MCPToolApprovalFunction
from outlast.definitions.hosted_tools import MCPToolApprovalFunctionResult as MCPToolApprovalFunctionResult
from outlast.definitions.hosted_tools import MCPToolApprovalRequest as MCPToolApprovalRequest
from outlast.definitions.hosted_tools import ProgrammaticToolCallingTool as ProgrammaticToolCallingTool
from outlast.definitions.hosted_tools import ToolSearchTool as ToolSearchTool
from outlast.definitions.hosted_tools import WebSearchTool as WebSearchTool
from outlast.definitions.hosted_tools import WebSearchToolImageSettings as WebSearchToolImageSettings
from outlast.definitions.limits import ModelLimits as ModelLimits
from outlast.definitions.logger import enable_verbose_stdout_logging as enable_verbose_stdout_logging
from outlast.definitions.model import Model as Model
from outlast.definitions.model import ModelProvider as ModelProvider
from outlast.definitions.model import ModelTracing as ModelTracing
from outlast.definitions.openai_types import ShellToolContainerAutoEnvironment as ShellToolContainerAutoEnvironment
from outlast.definitions.openai_types import ShellToolContainerNetworkPolicy as ShellToolContainerNetworkPolicy
from outlast.definitions.openai_types import ShellToolContainerNetworkPolicyAllowlist as ShellToolContainerNetworkPolicyAllowlist
from outlast.definitions.openai_types import ShellToolContainerNetworkPolicyDisabled as ShellToolContainerNetworkPolicyDisabled
from outlast.definitions.openai_types import ShellToolContainerNetworkPolicyDomainSecret as ShellToolContainerNetworkPolicyDomainSecret
from outlast.definitions.openai_types import ShellToolContainerReferenceEnvironment as ShellToolContainerReferenceEnvironment
from outlast.definitions.openai_types import ShellToolContainerSkill as ShellToolContainerSkill
from outlast.definitions.openai_types import ShellToolEnvironment as ShellToolEnvironment
from outlast.definitions.openai_types import ShellToolHostedEnvironment as ShellToolHostedEnvironment
from outlast.definitions.openai_types import ShellToolInlineSkill as ShellToolInlineSkill
from outlast.definitions.openai_types import ShellToolInlineSkillSource as ShellToolInlineSkillSource
from outlast.definitions.openai_types import ShellToolLocalEnvironment as ShellToolLocalEnvironment
from outlast.definitions.openai_types import ShellToolLocalSkill as ShellToolLocalSkill
from outlast.definitions.openai_types import ShellToolSkillReference as ShellToolSkillReference
from outlast.definitions.openai_types import TResponseInputItem as TResponseInputItem
from outlast.definitions.output import AgentOutputSchema as AgentOutputSchema
from outlast.definitions.output import AgentOutputSchemaBase as AgentOutputSchemaBase
from outlast.definitions.prompt import DynamicPromptFunction as DynamicPromptFunction
from outlast.definitions.prompt import GenerateDynamicPromptData as GenerateDynamicPromptData
from outlast.definitions.prompt import Prompt as Prompt
from outlast.definitions.retry import ModelRetryAdvice as ModelRetryAdvice
from outlast.definitions.retry import ModelRetryAdviceRequest as ModelRetryAdviceRequest
from outlast.definitions.retry import ModelRetryBackoffSettings as ModelRetryBackoffSettings
from outlast.definitions.retry import ModelRetryNormalizedError as ModelRetryNormalizedError
from outlast.definitions.retry import ModelRetrySettings as ModelRetrySettings
from outlast.definitions.retry import RetryDecision as RetryDecision
from outlast.definitions.retry import RetryPolicy as RetryPolicy
from outlast.definitions.retry import RetryPolicyContext as RetryPolicyContext
from outlast.definitions.retry import retry_policies as retry_policies
from outlast.definitions.run_items import CompactionItem as CompactionItem
from outlast.definitions.run_items import HandoffCallItem as HandoffCallItem
from outlast.definitions.run_items import HandoffOutputItem as HandoffOutputItem
from outlast.definitions.run_items import InputItem as InputItem
from outlast.definitions.run_items import ItemHelpers as ItemHelpers
from outlast.definitions.run_items import MCPApprovalRequestItem as MCPApprovalRequestItem
from outlast.definitions.run_items import MCPApprovalResponseItem as MCPApprovalResponseItem
from outlast.definitions.run_items import MCPListToolsItem as MCPListToolsItem
from outlast.definitions.run_items import MessageOutputItem as MessageOutputItem
from outlast.definitions.run_items import ModelResponse as ModelResponse
from outlast.definitions.run_items import ReasoningItem as ReasoningItem
from outlast.definitions.run_items import RunItem as RunItem
from outlast.definitions.run_items import ToolApprovalItem as ToolApprovalItem
from outlast.definitions.run_items import ToolCallItem as ToolCallItem
from outlast.definitions.run_items import ToolCallOutputItem as ToolCallOutputItem
from outlast.definitions.run_items import ToolSearchCallItem as ToolSearchCallItem
from outlast.definitions.run_items import ToolSearchOutputItem as ToolSearchOutputItem
from outlast.definitions.settings import ModelSettings as ModelSettings
from outlast.definitions.shell_tools import LocalShellCommandRequest as LocalShellCommandRequest
from outlast.definitions.shell_tools import LocalShellExecutor as LocalShellExecutor
from outlast.definitions.shell_tools import LocalShellTool as LocalShellTool
from outlast.definitions.shell_tools import ShellActionRequest as ShellActionRequest
from outlast.definitions.shell_tools import ShellCallData as ShellCallData
from outlast.definitions.shell_tools import ShellCallOutcome as ShellCallOutcome
from outlast.definitions.shell_tools import ShellCommandOutput as ShellCommandOutput
from outlast.definitions.shell_tools import ShellCommandRequest as ShellCommandRequest
from outlast.definitions.shell_tools import ShellExecutor as ShellExecutor
from outlast.definitions.shell_tools import ShellResult as ShellResult
from outlast.definitions.shell_tools import ShellTool as ShellTool
from outlast.definitions.stream_events import AgentUpdatedStreamEvent as AgentUpdatedStreamEvent
from outlast.definitions.stream_events import RawResponsesStreamEvent as RawResponsesStreamEvent
from outlast.definitions.stream_events import RunItemStreamEvent as RunItemStreamEvent
from outlast.definitions.stream_events import StreamEvent as StreamEvent
from outlast.definitions.stream_events import ToolProgressStreamEvent as ToolProgressStreamEvent
from outlast.definitions.tool import Tool as Tool
from outlast.definitions.tool import function_tool as function_tool
from outlast.definitions.tool import tool_namespace as tool_namespace
from outlast.definitions.tool_callers import ToolCaller as ToolCaller
from outlast.definitions.tool_guardrail import ToolGuardrailFunctionOutput as ToolGuardrailFunctionOutput
from outlast.definitions.tool_guardrail import ToolInputGuardrail as ToolInputGuardrail
from outlast.definitions.tool_guardrail import ToolInputGuardrailData as ToolInputGuardrailData
from outlast.definitions.tool_guardrail import ToolInputGuardrailResult as ToolInputGuardrailResult
from outlast.definitions.tool_guardrail import ToolOutputGuardrail as ToolOutputGuardrail
from outlast.definitions.tool_guardrail import ToolOutputGuardrailData as ToolOutputGuardrailData
from outlast.definitions.tool_guardrail import ToolOutputGuardrailResult as ToolOutputGuardrailResult
from outlast.definitions.tool_guardrail import tool_input_guardrail as tool_input_guardrail
from outlast.definitions.tool_guardrail import tool_output_guardrail as tool_output_guardrail
from outlast.definitions.tool_models import ToolOutputFileContent as ToolOutputFileContent
from outlast.definitions.tool_models import ToolOutputImage as ToolOutputImage
from outlast.definitions.tool_models import ToolOutputText as ToolOutputText
from outlast.definitions.tool_origin import ToolOrigin as ToolOrigin
from outlast.definitions.tool_origin import ToolOriginType as ToolOriginType
from outlast.definitions.tool_output import ToolOutputFileContentDict as ToolOutputFileContentDict
from outlast.definitions.tool_output import ToolOutputImageDict as ToolOutputImageDict
from outlast.definitions.tool_output import ToolOutputTextDict as ToolOutputTextDict
from outlast.effects.config import OutputGuardrailBlockedMessageArgs as OutputGuardrailBlockedMessageArgs
from outlast.effects.config import OutputGuardrailBlockedMessageFormatter as OutputGuardrailBlockedMessageFormatter
from outlast.effects.config import ReasoningItemIdPolicy as ReasoningItemIdPolicy
from outlast.effects.config import RunConfig as RunConfig
from outlast.effects.config import ToolErrorFormatter as ToolErrorFormatter
from outlast.effects.config import ToolErrorFormatterArgs as ToolErrorFormatterArgs
from outlast.effects.config import ToolExecutionConfig as ToolExecutionConfig
from outlast.effects.config import ToolNameCollisionPolicy as ToolNameCollisionPolicy
from outlast.effects.config import ToolNotFoundBehavior as ToolNotFoundBehavior
from outlast.effects.error_handlers import RunErrorData as RunErrorData
from outlast.effects.error_handlers import RunErrorHandler as RunErrorHandler
from outlast.effects.error_handlers import RunErrorHandlerInput as RunErrorHandlerInput
from outlast.effects.error_handlers import RunErrorHandlerResult as RunErrorHandlerResult
from outlast.effects.error_handlers import RunErrorHandlers as RunErrorHandlers
from outlast.extras.cached_model import AnswerCache as AnswerCache
from outlast.extras.cached_model import CachedModel as CachedModel
from outlast.extras.cached_model import FolderAnswers as FolderAnswers
from outlast.extras.cached_model import RedisAnswers as RedisAnswers
from outlast.journal.journal import NotStorable as NotStorable
from outlast.models.chat import OpenAIChatCompletionsModel as OpenAIChatCompletionsModel
from outlast.models.defaults import OpenAIAgentRegistrationConfig as OpenAIAgentRegistrationConfig
from outlast.models.defaults import set_default_openai_agent_registration as set_default_openai_agent_registration
from outlast.models.defaults import set_default_openai_api as set_default_openai_api
from outlast.models.defaults import set_default_openai_client as set_default_openai_client
from outlast.models.defaults import set_default_openai_harness as set_default_openai_harness
from outlast.models.defaults import set_default_openai_key as set_default_openai_key
from outlast.models.defaults import set_default_openai_responses_transport as set_default_openai_responses_transport
from outlast.models.offline import OfflineModel as OfflineModel
from outlast.models.provider import MultiProvider as MultiProvider
from outlast.models.provider import OpenAIProvider as OpenAIProvider
from outlast.models.responses import OpenAIResponsesModel as OpenAIResponsesModel
from outlast.models.responses_ws import OpenAIResponsesWSModel as OpenAIResponsesWSModel
from outlast.models.responses_ws import OpenAIResponsesWebSocketOptions as OpenAIResponsesWebSocketOptions
from outlast.models.responses_ws import ResponsesWebSocketError as ResponsesWebSocketError
from outlast.otel.setup import OtlpExport as OtlpExport
from outlast.otel.setup import export_to_otlp as export_to_otlp
from outlast.run.batch import run_batch as run_batch
from outlast.run.export_run import export_run as export_run
from outlast.run.pending import PendingDecision as PendingDecision
from outlast.run.recover import Recoverer as Recoverer
from outlast.run.recover import recover_runs as recover_runs
from outlast.run.repl import run_demo_loop as run_demo_loop
from outlast.run.responses_session import ResponsesWebSocketSession as ResponsesWebSocketSession
from outlast.run.responses_session import responses_websocket_session as responses_websocket_session
from outlast.run.result import AgentToolInvocation as AgentToolInvocation
from outlast.run.result import RunResult as RunResult
from outlast.run.run_state import RunState as RunState
from outlast.run.runner import Runner as Runner
from outlast.run.stream import RunResultStreaming as RunResultStreaming
from outlast.sessions.compaction import OpenAIResponsesCompactionSession as OpenAIResponsesCompactionSession
from outlast.sessions.conversations import OpenAIConversationsSession as OpenAIConversationsSession
from outlast.sessions.session import OpenAIResponsesCompactionArgs as OpenAIResponsesCompactionArgs
from outlast.sessions.session import OpenAIResponsesCompactionAwareSession as OpenAIResponsesCompactionAwareSession
from outlast.sessions.session import Session as Session
from outlast.sessions.session import SessionABC as SessionABC
from outlast.sessions.session import SessionSettings as SessionSettings
from outlast.sessions.session import is_openai_responses_compaction_aware_session as is_openai_responses_compaction_aware_session
from outlast.sessions.sqlite import SQLiteSession as SQLiteSession
from outlast.tracing.create import agent_span as agent_span
from outlast.tracing.create import custom_span as custom_span
from outlast.tracing.create import function_span as function_span
from outlast.tracing.create import generation_span as generation_span
from outlast.tracing.create import get_current_span as get_current_span
from outlast.tracing.create import get_current_trace as get_current_trace
from outlast.tracing.create import guardrail_span as guardrail_span
from outlast.tracing.create import handoff_span as handoff_span
from outlast.tracing.create import mcp_tools_span as mcp_tools_span
from outlast.tracing.create import response_span as response_span
from outlast.tracing.create import speech_group_span as speech_group_span
from outlast.tracing.create import speech_span as speech_span
from outlast.tracing.create import task_span as task_span
from outlast.tracing.create import trace as trace
from outlast.tracing.create import transcription_span as transcription_span
from outlast.tracing.create import turn_span as turn_span
from outlast.tracing.interface import Span as Span
from outlast.tracing.interface import SpanError as SpanError
from outlast.tracing.interface import Trace as Trace
from outlast.tracing.interface import TracingProcessor as TracingProcessor
from outlast.tracing.setup import add_trace_processor as add_trace_processor
from outlast.tracing.setup import export_to_console as export_to_console
from outlast.tracing.setup import export_to_file as export_to_file
from outlast.tracing.setup import export_to_openai as export_to_openai
from outlast.tracing.setup import flush_traces as flush_traces
from outlast.tracing.setup import set_trace_processors as set_trace_processors
from outlast.tracing.setup import set_trace_provider as set_trace_provider
from outlast.tracing.setup import set_tracing_disabled as set_tracing_disabled
from outlast.tracing.setup import set_tracing_export_api_key as set_tracing_export_api_key
from outlast.tracing.span_data import AgentSpanData as AgentSpanData
from outlast.tracing.span_data import CustomSpanData as CustomSpanData
from outlast.tracing.span_data import FunctionSpanData as FunctionSpanData
from outlast.tracing.span_data import GenerationSpanData as GenerationSpanData
from outlast.tracing.span_data import GuardrailSpanData as GuardrailSpanData
from outlast.tracing.span_data import HandoffSpanData as HandoffSpanData
from outlast.tracing.span_data import MCPListToolsSpanData as MCPListToolsSpanData
from outlast.tracing.span_data import ResponseSpanData as ResponseSpanData
from outlast.tracing.span_data import SpanData as SpanData
from outlast.tracing.span_data import SpeechGroupSpanData as SpeechGroupSpanData
from outlast.tracing.span_data import SpeechSpanData as SpeechSpanData
from outlast.tracing.span_data import TaskSpanData as TaskSpanData
from outlast.tracing.span_data import TranscriptionSpanData as TranscriptionSpanData
from outlast.tracing.span_data import TurnSpanData as TurnSpanData
from outlast.tracing.util import gen_span_id as gen_span_id
from outlast.tracing.util import gen_trace_id as gen_trace_id
from outlast.version import __version__ as __version__
from outlast.views.costs import Spent as Spent
from outlast.views.costs import UsageReport as UsageReport
from outlast.views.decisions import DecisionRecord as DecisionRecord

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
    "AlreadyDecided",
    "AlreadyRunning",
    "AnswerCache",
    "ApplyPatchEditor",
    "ApplyPatchOperation",
    "ApplyPatchResult",
    "ApplyPatchTool",
    "ApplyPatchToolCustomDataContext",
    "ApplyPatchToolCustomDataExtractor",
    "ApprovalRules",
    "AsyncComputer",
    "AsyncOpenAI",
    "Budget",
    "BudgetExceeded",
    "Button",
    "CachedModel",
    "CallNotFound",
    "CircuitBreaker",
    "CircuitOpen",
    "CodeInterpreterTool",
    "Compaction",
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
    "DecisionRecord",
    "DynamicPromptFunction",
    "Environment",
    "FallbackModel",
    "Fenced",
    "FileSearchTool",
    "FolderAnswers",
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
    "ModelAnswerFailed",
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
    "NotStorable",
    "OfflineModel",
    "OpenAIAgentRegistrationConfig",
    "OpenAIChatCompletionsModel",
    "OpenAIConversationsSession",
    "OpenAIProvider",
    "OpenAIResponsesCompactionArgs",
    "OpenAIResponsesCompactionAwareSession",
    "OpenAIResponsesCompactionSession",
    "OpenAIResponsesModel",
    "OpenAIResponsesWSModel",
    "OpenAIResponsesWebSocketOptions",
    "OtlpExport",
    "OutputGuardrail",
    "OutputGuardrailBlockedMessageArgs",
    "OutputGuardrailBlockedMessageFormatter",
    "OutputGuardrailResult",
    "OutputGuardrailTripwireTriggered",
    "Paced",
    "PendingDecision",
    "Price",
    "PriceTable",
    "ProgrammaticToolCallingTool",
    "Prompt",
    "RawResponsesStreamEvent",
    "ReasoningItem",
    "ReasoningItemIdPolicy",
    "Recoverer",
    "RedisAnswers",
    "RequestUsage",
    "ResponseSpanData",
    "ResponsesWebSocketError",
    "ResponsesWebSocketSession",
    "RetryDecision",
    "RetryPolicy",
    "RetryPolicyContext",
    "RunConfig",
    "RunConflict",
    "RunContextWrapper",
    "RunErrorData",
    "RunErrorDetails",
    "RunErrorHandler",
    "RunErrorHandlerInput",
    "RunErrorHandlerResult",
    "RunErrorHandlers",
    "RunFailedBefore",
    "RunHasEnded",
    "RunHooks",
    "RunIsPaused",
    "RunItem",
    "RunItemStreamEvent",
    "RunMetadata",
    "RunNotFound",
    "RunParked",
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
    "Spent",
    "StateMismatch",
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
    "ToolProgressStreamEvent",
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
    "UsageReport",
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
    "export_run",
    "export_to_console",
    "export_to_file",
    "export_to_openai",
    "export_to_otlp",
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
    "run_batch",
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
