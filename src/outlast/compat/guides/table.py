"""The spellings of guides that are understood, what each means, and where it belongs.

`docs/reference/guide-spellings.md` is written from here, and each row has a test of its number in
`tests/compat/test_guides.py`.
"""

from __future__ import annotations

SPELLINGS: tuple[tuple[str, str, str], ...] = (
    ("agents", "`Agent()` without a name", "it is called `Agent`"),
    ("agents", "`Agent(temperature=, max_tokens=)`", "fields of `model_settings`; None stays a `TypeError`"),
    ("agents", "`Agent(is_enabled=)`, a bool or a function of the context", "wherever the agent is offered, as a tool or by a handoff"),
    ("agents", "`Agent(default_tool_error_function=)`", "for its tools that have no error function of their own"),
    ("agents", "`await agent.run(input)`, `agent.run_sync(input)`", "`Runner.run(agent, input)`"),
    ("agents", "`FunctionAgent`", "`Agent`"),
    ("agents", "`agent.as_tool(name=, description=, input_type=, output_type=)`", "`tool_name`, `tool_description`, `parameters`; the output type of a clone"),
    ("guardrails", "a subclass of `InputGuardrail` with `check(agent, input, context)`", "its function, with the context first"),
    ("guardrails", "`GuardrailOutput(should_block=)`, `(content_filtered=, policy_name=, ...)`", "tripped if it blocks or filters; the rest is `output_info`"),
    ("guardrails", '`GuardrailOutput(behavior={"type": ...})`', "`reject_content` and `raise_exception` trip, `pass` and `filter` do not"),
    ("guardrails", "`Guardrail(guardrail_name=, guardrail_function=)`, also without a function", "a guardrail of the list that it stands in; without a function, all passes"),
    ("guardrails", "`Guardrail(on_fail=GuardrailFailureMode.LOG, error_message=, log=)`", "`LOG`, `WARN` and `ALLOW` let pass; the message is `output_info`"),
    ("guardrails", "`@input_guardrail` on a function of `(input_str)` that returns a bool", "True lets pass"),
    ("guardrails", "`InputGuardrailResult(allowed=, message=)`, `(did_pass=, message=)`", "what the function found; the message is `output_info`"),
    ("guardrails", "`OutputGuardrailResult(allowed=, replacement=)`", "what the function found; the replacement is `output_info`"),
    ("guardrails", "`@input_guardrail` on a method", "bound to the object that the agent gets it from"),
    ("guardrails", "`except GuardrailTripwireTriggered`", "either kind of tripped guardrail"),
    ("guardrails", "`InputGuardrailOutputData(agents_input=)`, `OutputGuardrailOutputData`", "records for `output_info`"),
    ("guardrails", "a tool's guardrail as a function of `(ctx, tool, params)`", "a `ToolInputGuardrail`; who does not pass is refused with the message"),
    ("guardrails", "`ToolInputGuardrailData.input`", "the arguments of the call, decoded"),
    ("handoffs", "`HandoffInputData.context`", "`run_context`"),
    ("handoffs", "`HandoffInputData(agent=, input=)`", "`input_history`, and no items"),
    ("handoffs", "an `input_filter` that returns the context", "nothing of the conversation is changed; another context takes the place of the run's"),
    ("handoffs", "`@HandoffInputFilter` on a predicate", "a filter that keeps the items of which it is true"),
    ("handoffs", "`Handoff.name`, `Handoff.description`", "`tool_name`, `tool_description`"),
    ("handoffs", "`Handoff(agent=, name=, input_type=, on_handoff=, is_enabled=)`", "`handoff(agent, ...)`; an `on_handoff` of (ctx, text) gets the arguments as text"),
    ("handoffs", "`on_handoff` that returns an agent", "that agent takes over"),
    ("handoffs", "`handoff(target=, filter=)`", "`agent`, `input_filter`"),
    ("handoffs", "`@handoff` on a function that returns an agent, with arguments or without", "the model gives the arguments; that agent takes over"),
    ("context", "`RunContext`", "`RunContextWrapper`"),
    ("context", "`ctx.<attribute>`", "an attribute of your own context, where the wrapper has none of that name"),
    ("tools", "`FunctionSchema.from_fn(f)`, `.to_tool_definition()`", "`function_schema(f)`, `function_tool(f)`"),
    ("tools", "`FunctionTool(name=, handle_invoke=f)`", "`on_invoke_tool`; description and schema may be left out"),
    ("tools", '`FunctionTool(require_approval="always")`', "`needs_approval=True`"),
    ("tools", '`my_tool("x")` of a function tool, and its `__name__`', "calls the function; the name of the tool"),
    ("tools", "`CodeInterpreterTool()`, `FileSearchTool()`, `ImageGenerationTool()`, `ComputerTool()`, `LocalShellTool()`", "with the provider's defaults; the last two fail when they are called"),
    ("tools", "an error function that takes the error alone", "the context is left out"),
    ("tools", "`ToolExecutionError`", "an `AgentsException` for tools to raise"),
    ("tools", "`RequireApprovalSetting.NEVER`, `.ALWAYS`, `.UNDETERMINED`", "the texts `never`, `always`, `undetermined`"),
    ("tools", "`tool_filter` of an MCP server as a list of names", "those tools only"),
    ("tools", "a `tool_filter` function of `(ctx, agent, tool)`", "asked with the run's context and the agent"),
    ("tools", "`MCPTool`", "`mcp.types.Tool`; any type, if `mcp` is not installed"),
    ("runs", "`RunConfig(max_turns=)`, `(max_steps=)`", "the `max_turns` of the call, where that has none of its own"),
    ("runs", "`RunConfig(tool_choice=)`", "a field of `model_settings`"),
    ("runs", "`RunConfig(tools=)`", "beside the tools of the first agent"),
    ("runs", "`RunConfig(timeout=)`", "seconds until a `TimeoutError`; other time-outs stay what they are"),
    ("runs", "`RunConfig(max_tools=)`", "`RunConfig(budgets=Budget(tool_calls=...))`"),
    (
        "runs",
        "`RunConfig(context_length=)`",
        "`RunConfig(compaction=Compaction(context_tokens=...))`",
    ),
    ("runs", "`RunHooks.on_tool_call(context, agent, tool)`", "called with `on_tool_start`"),
    ("runs", "`Runner.resume(run_id=, agent=, approval_result=ApprovalResult(approved=))`", "the same answer for all calls that wait, and on it goes"),
    ("runs", "`MaxTurnsExceededError`", "`MaxTurnsExceeded`"),
    ("runs", "`Runner.run(...).final_output` without `await`", "where no event loop runs: the run is performed when something of its result is read"),
    ("runs", "a tool that returns `Runner.run(...)`", "the final output of that run"),
    ("runs", "`RunState(current_agent=, model_response=, generated_items=, run_config=)`", "a run that begins with those items"),
    ("runs", "`result.messages`, `.tool_calls`, `.tool_results`, `.handoffs`, `.final_response`", "views of `new_items` and `to_input_list()`"),
    ("runs", "`HandoffItem`, `RawResponsesFromModel`", "`HandoffCallItem` and `HandoffOutputItem`; `ModelResponse`"),
    ("runs", "`result.agent`, `result.output`, `result.run_id`", "`last_agent`, `final_output`, the id of the run"),
    ("runs", "`agents.agent_output.AgentOutput`", "`AgentOutputSchema`"),
    ("sessions", "`await session.initialize()`, `session.is_initialized()`", "nothing is left to do"),
    ("sessions", "`SQLiteSession(resume=True)`", "a session of a known id always goes on"),
    ("tracing", "a `TracingProcessor` with `process_trace(trace)` alone", "called when a trace has ended"),
    ("tracing", "`trace.id`, `trace.spans`, `trace.duration`", "for such a processor; the duration in seconds"),
    ("tracing", "`span.name`, `span.duration`, `span.span_data.usage`, `.metadata`", "what the span is of, seconds, None where there is none"),
    ("tracing", '`@function_span("name")` on a function', "each call is a span"),
    ("exosphere", "`from exospherehost.openai import agents`, also `exospherehost.openai._runner`", "the names of `agents`, and `agents.run`; with or without `exospherehost`"),
    ("exosphere", "`agents.run(agent, message, retry_policy=)`", "one run; a retry goes on with it and repeats nothing that its log has"),
    ("exosphere", "`exospherehost.BaseNode`", "a node that can be called by itself, if `exospherehost` is not installed"),
    ("exosphere", "`exospherehost.StateManager`, `Runtime` and other names of graphs", "a `UserError` that says what to install: there are no graphs yet"),
    ("modules", "`agents.guardrails`, `agents.streaming`, `openai_agents`", "`agents.guardrail` and `agents.tool_guardrails`, `agents.stream_events` and `agents.result`, `agents`"),
)  # fmt: skip
"""Area, spelling, meaning."""


def page() -> str:
    """The page of documentation about them."""
    lines = [
        "# Spellings of guides",
        "",
        "<!-- Written by `python tests/public_names.py` from src/outlast/compat/guides/table.py. -->",
        "",
        "Guides that are copied widely write some things in ways that openai-agents refuses. After",
        "`outlast.compat.install()`, which `outlast run` does for a file that imports `agents`, they are",
        "understood from the first `import agents` on. A program that imports `outlast` alone gets the",
        "strict API.",
    ]
    for area in dict.fromkeys(row[0] for row in SPELLINGS):
        lines += ["", f"## {area.capitalize()}", "", "| spelling | means |", "|---|---|"]
        lines += [
            f"| {spelling} | {meaning} |" for of, spelling, meaning in SPELLINGS if of == area
        ]
    lines += [
        "",
        "## Not yet",
        "",
        "There are no sandboxes yet, so `MemoryReadConfig` and `MemoryLayout` from",
        "`agents.sandbox.capabilities`, and `run_as` as the name of a user, are refused with an error that",
        "says so.",
    ]
    return "\n".join([*lines, ""])
