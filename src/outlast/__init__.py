"""Durable multi-agent programs: agents, tools, handoffs, guardrails, sessions, tracing.

    from outlast import Agent, Runner

    result = await Runner.run(Agent(name="Clerk", instructions="Be brief."), "Hello")

Every run is kept in a journal and survives its process. Public is what `__all__` lists; a name's
module is imported when the name is first used, so that `import outlast` stays quick.
`__init__.pyi` shows the same names to type checkers; `tests/public_names.py` writes it from here.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from outlast.core import doors

_PUBLIC = """
compat.borrowed: AsyncOpenAI
core.errors: AgentsException AlreadyDecided AlreadyRunning BudgetExceeded CallNotFound CircuitOpen Fenced
    HandoffNotFound IncompatibleRun RunConflict StateMismatch
    InputGuardrailTripwireTriggered JournalConflict JournalCorrupt JournalError JournalUnavailable
    MCPToolCancellationError MaxTurnsExceeded ModelAnswerFailed ModelAuthError
    ModelBehaviorError ModelDeadlineExceeded ModelLoopDetected ModelPaced ModelRateLimited ModelRedirected
    ModelRefusalError ModelReplyMalformed ModelRequestError ModelResponseTooLarge
    ModelStreamTruncated ModelTimeoutError ModelUnavailable OutputGuardrailTripwireTriggered
    RunFailedBefore RunHasEnded RunIsPaused RunParked RunNotFound StorageBusy StorageFull
    ToolInputGuardrailTripwireTriggered
    ToolOutputGuardrailTripwireTriggered ToolTimeoutError TooManyToolCalls UserError
calls.health: CircuitBreaker
calls.prices: Price PriceTable
core.identity: RunMetadata
core.run_data: RunErrorDetails
core.usage: RequestUsage Usage
definitions.agent: Agent AgentBase AgentToolStreamEvent StopAtTools ToolsToFinalOutputFunction
    ToolsToFinalOutputResult
definitions.apply_diff: apply_diff
definitions.approval_rules: ApprovalRules
definitions.budget: Budget
definitions.computer: AsyncComputer Button Computer ComputerProvider ComputerTool
    ComputerToolCustomDataContext ComputerToolCustomDataExtractor Environment
    dispose_resolved_computers resolve_computer
definitions.context: AgentHookContext RunContextWrapper TContext ToolContext
definitions.custom_tool: CustomTool CustomToolCustomDataContext CustomToolCustomDataExtractor
definitions.editor: ApplyPatchEditor ApplyPatchOperation ApplyPatchResult ApplyPatchTool
    ApplyPatchToolCustomDataContext ApplyPatchToolCustomDataExtractor
definitions.guardrail: GuardrailFunctionOutput InputGuardrail InputGuardrailResult OutputGuardrail
    OutputGuardrailResult input_guardrail output_guardrail
definitions.handoff: Handoff HandoffInputData HandoffInputFilter handoff
definitions.handoff_history: default_handoff_history_mapper get_conversation_history_wrappers
    nest_handoff_history reset_conversation_history_wrappers set_conversation_history_wrappers
definitions.hooks: AgentHooks RunHooks
definitions.hosted_tools: CodeInterpreterTool FileSearchTool HostedMCPTool ImageGenerationTool
    ImageGenerationToolConfig MCPToolApprovalFunction MCPToolApprovalFunctionResult
    MCPToolApprovalRequest ProgrammaticToolCallingTool ToolSearchTool WebSearchTool
    WebSearchToolImageSettings
definitions.compaction: Compaction
definitions.limits: ModelLimits
definitions.logger: enable_verbose_stdout_logging
definitions.model: Model ModelProvider ModelTracing
definitions.openai_types: ShellToolContainerAutoEnvironment ShellToolContainerNetworkPolicy
    ShellToolContainerNetworkPolicyAllowlist ShellToolContainerNetworkPolicyDisabled
    ShellToolContainerNetworkPolicyDomainSecret ShellToolContainerReferenceEnvironment
    ShellToolContainerSkill ShellToolEnvironment ShellToolHostedEnvironment ShellToolInlineSkill
    ShellToolInlineSkillSource ShellToolLocalEnvironment ShellToolLocalSkill
    ShellToolSkillReference TResponseInputItem
definitions.output: AgentOutputSchema AgentOutputSchemaBase
definitions.prompt: DynamicPromptFunction GenerateDynamicPromptData Prompt
definitions.retry: ModelRetryAdvice ModelRetryAdviceRequest ModelRetryBackoffSettings
    ModelRetryNormalizedError ModelRetrySettings RetryDecision RetryPolicy RetryPolicyContext
    retry_policies
definitions.run_items: CompactionItem HandoffCallItem HandoffOutputItem InputItem ItemHelpers
    MCPApprovalRequestItem MCPApprovalResponseItem MCPListToolsItem MessageOutputItem ModelResponse
    ReasoningItem RunItem ToolApprovalItem ToolCallItem ToolCallOutputItem
    ToolSearchCallItem ToolSearchOutputItem
definitions.settings: ModelSettings
definitions.shell_tools: LocalShellCommandRequest LocalShellExecutor LocalShellTool
    ShellActionRequest ShellCallData ShellCallOutcome ShellCommandOutput ShellCommandRequest
    ShellExecutor ShellResult ShellTool
definitions.stream_events: AgentUpdatedStreamEvent RawResponsesStreamEvent RunItemStreamEvent
    StreamEvent ToolProgressStreamEvent
definitions.tool_callers: ToolCaller
definitions.function_tool: FunctionTool FunctionToolCustomDataContext
    FunctionToolCustomDataExtractor FunctionToolResult default_tool_error_function
definitions.tool: Tool function_tool tool_namespace
definitions.tool_origin: ToolOrigin ToolOriginType
definitions.tool_guardrail: ToolGuardrailFunctionOutput ToolInputGuardrail ToolInputGuardrailData
    ToolInputGuardrailResult ToolOutputGuardrail ToolOutputGuardrailData ToolOutputGuardrailResult
    tool_input_guardrail tool_output_guardrail
definitions.tool_output: ToolOutputFileContentDict ToolOutputImageDict ToolOutputTextDict
definitions.tool_models: ToolOutputFileContent ToolOutputImage ToolOutputText
effects.config: OutputGuardrailBlockedMessageArgs OutputGuardrailBlockedMessageFormatter
    ReasoningItemIdPolicy RunConfig ToolErrorFormatter ToolErrorFormatterArgs ToolExecutionConfig
    ToolNameCollisionPolicy ToolNotFoundBehavior
effects.error_handlers: RunErrorData RunErrorHandler RunErrorHandlerInput RunErrorHandlerResult
    RunErrorHandlers
journal.journal: NotStorable
models.chat: OpenAIChatCompletionsModel
models.defaults: OpenAIAgentRegistrationConfig set_default_openai_agent_registration
    set_default_openai_api set_default_openai_client set_default_openai_harness
    set_default_openai_key set_default_openai_responses_transport
calls.fallback: FallbackModel Paced
models.offline: OfflineModel
models.provider: MultiProvider OpenAIProvider
models.responses: OpenAIResponsesModel
models.responses_ws: OpenAIResponsesWSModel OpenAIResponsesWebSocketOptions ResponsesWebSocketError
otel.setup: OtlpExport export_to_otlp
extras.cached_model: AnswerCache CachedModel FolderAnswers RedisAnswers
run.batch: run_batch
run.export_run: export_run
run.recover: Recoverer recover_runs
run.repl: run_demo_loop
run.responses_session: ResponsesWebSocketSession responses_websocket_session
run.result: AgentToolInvocation RunResult
run.stream: RunResultStreaming
run.run_state: RunState
views.costs: Spent UsageReport
views.decisions: DecisionRecord
run.pending: PendingDecision
run.runner: Runner
sessions.compaction: OpenAIResponsesCompactionSession
sessions.conversations: OpenAIConversationsSession
sessions.session: OpenAIResponsesCompactionArgs OpenAIResponsesCompactionAwareSession Session
    SessionABC SessionSettings is_openai_responses_compaction_aware_session
sessions.sqlite: SQLiteSession
tracing.create: agent_span custom_span function_span generation_span get_current_span
    get_current_trace guardrail_span handoff_span mcp_tools_span response_span speech_group_span
    speech_span task_span trace transcription_span turn_span
tracing.interface: Span SpanError Trace TracingProcessor
tracing.setup: add_trace_processor export_to_console export_to_file export_to_openai flush_traces
    set_trace_processors set_trace_provider
    set_tracing_disabled set_tracing_export_api_key
tracing.span_data: AgentSpanData CustomSpanData FunctionSpanData GenerationSpanData
    GuardrailSpanData HandoffSpanData MCPListToolsSpanData ResponseSpanData SpanData
    SpeechGroupSpanData SpeechSpanData TaskSpanData TranscriptionSpanData TurnSpanData
tracing.util: gen_span_id gen_trace_id
version: __version__
"""
"""The one table of public names: a module of ours, then what it contributes."""


def _read(table: str) -> dict[str, str]:
    modules: dict[str, str] = {}
    module = ""
    for word in table.split():
        if word.endswith(":"):
            module = f"outlast.{word[:-1]}"
        else:
            modules[word] = module
    return modules


_MODULES = _read(_PUBLIC)

__all__ = sorted(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll] # noqa: PLE0605 (the stub lists them)


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use, and keep the object."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'outlast' has no attribute {name!r}", name=name)
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """This package, in which a public name is never hidden by a module of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        # `import outlast.apply_diff` binds that module here, where the function is.
        if not (isinstance(value, ModuleType) and name in _MODULES):
            super().__setattr__(name, value)


class _LateModules:
    """Finds openai-agents' modules under our name (`outlast.model_settings`), which have no file."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        """The last finder that Python asks, so that a file of ours always wins."""
        del path, target
        if not name.startswith("outlast."):
            return None
        return import_module("outlast.compat.aliases").late_spec(name)


def _open(door: Any, module: str, name: str) -> None:
    doors.open_door(door, lambda: getattr(import_module(module), name))


_open("agent_as_tool", "outlast.run.agent_tool", "agent_as_tool")
_open("agent_tools", "outlast.mcp.tools", "agent_tools")
_open("coerce_run_config", "outlast.effects.config", "coerce_run_config")

sys.modules[__name__].__class__ = _Package
if not any(getattr(each, "__name__", "") == _LateModules.__name__ for each in sys.meta_path):
    sys.meta_path.append(_LateModules)
