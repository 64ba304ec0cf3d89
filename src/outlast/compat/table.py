"""Which of our modules answer for a module of openai-agents. Facts only; `aliases.py` acts on them.

A name is looked up in the modules of its row from left to right; a dot is the package itself.
An empty row is a package that only holds others.
"""

_TOOL = """
    definitions.tool definitions.function_tool definitions.hosted_tools definitions.shell_tools
    definitions.computer definitions.custom_tool definitions.editor definitions.tool_output
    definitions.tool_guardrail definitions.tool_origin definitions.tool_callers definitions.names
    definitions.schema definitions.strict_schema definitions.context definitions.calling
    definitions.docstrings definitions.tool_models definitions.openai_types
"""

_TRACING = """
    tracing tracing.create tracing.setup tracing.spans tracing.traces tracing.span_data
    tracing.processors tracing.interface tracing.provider tracing.config tracing.context
    tracing.util
"""

_CODEX_TOOL = """
    extras.codex.tool extras.codex.parameters extras.codex.answer_schema extras.codex.thread_ids
    extras.codex.command_spans extras.codex.items extras.codex.thread extras.codex.options
"""

_ROWS = {
    "agents": ". compat.borrowed compat.guides.names",
    "agents._config": "models.defaults",
    "agents._debug": "definitions.debug",
    "agents.agent": "definitions.agent definitions.agent_tool_input run.agent_tool",
    "agents.agent_output": "definitions.output compat.guides.names",
    "agents.agent_tool_input": "definitions.agent_tool_input",
    "agents.agent_tool_state": "run.agent_tool",
    "agents.apply_diff": "definitions.apply_diff",
    "agents.computer": "definitions.computer",
    "agents.decorators": "compat.decorators",
    "agents.editor": "definitions.editor",
    "agents.exceptions": "core.errors compat.guides.names",
    "agents.extensions": "extras.tool_output_trimmer",
    "agents.extensions.experimental": "",
    "agents.extensions.experimental.codex": "extras.codex",
    "agents.extensions.experimental.codex.codex": "extras.codex.client",
    "agents.extensions.experimental.codex.codex_options": "extras.codex.options",
    "agents.extensions.experimental.codex.codex_tool": _CODEX_TOOL,
    "agents.extensions.experimental.codex.events": "extras.codex.events",
    "agents.extensions.experimental.codex.exec": "extras.codex.process",
    "agents.extensions.experimental.codex.items": "extras.codex.items",
    "agents.extensions.experimental.codex.output_schema_file": "extras.codex.schema_file",
    "agents.extensions.experimental.codex.payloads": "extras.codex.records compat.codex_names",
    "agents.extensions.experimental.codex.thread": "extras.codex.thread compat.codex_names",
    "agents.extensions.experimental.codex.thread_options": "extras.codex.options",
    "agents.extensions.experimental.codex.turn_options": "extras.codex.options",
    "agents.extensions.experimental.hosted_multi_agent": "extras.hosted_multi_agent",
    "agents.extensions.experimental.hosted_multi_agent.model": "extras.hosted_multi_agent",
    "agents.extensions.handoff_filters": "definitions.handoff_history",
    "agents.extensions.handoff_prompt": "definitions.handoff",
    "agents.extensions.memory": "sessions.backends",
    "agents.extensions.memory.advanced_sqlite_session": "sessions.advanced_sqlite",
    "agents.extensions.memory.async_sqlite_session": "sessions.async_sqlite",
    "agents.extensions.memory.dapr_session": "sessions.dapr",
    "agents.extensions.memory.encrypt_session": "sessions.encrypted",
    "agents.extensions.memory.mongodb_session": "sessions.mongodb",
    "agents.extensions.memory.redis_session": "sessions.redis",
    "agents.extensions.memory.sqlalchemy_session": "sessions.sqlalchemy",
    "agents.extensions.models": "",
    "agents.extensions.models.any_llm_model": "models.adapters.any_llm models.chat models.responses",
    "agents.extensions.models.any_llm_provider": "models.adapters.any_llm",
    "agents.extensions.models.litellm_model": (
        "models.adapters.litellm compat.litellm_names models.chat definitions.openai_types"
    ),
    "agents.extensions.models.litellm_provider": "models.adapters.litellm",
    "agents.extensions.tool_output_trimmer": "extras.tool_output_trimmer",
    "agents.extensions.visualization": "extras.visualization",
    "agents.function_schema": "definitions.schema definitions.docstrings compat.guides.names",
    "agents.guardrail": "definitions.guardrail compat.guides.names",
    "agents.guardrails": "definitions.guardrail definitions.tool_guardrail compat.guides.names",
    "agents.handoffs": "definitions.handoff definitions.handoff_history",
    "agents.handoffs.history": "definitions.handoff_history",
    "agents.items": "definitions.run_items definitions.tool_output core.usage definitions.tool_models",
    "agents.lifecycle": "definitions.hooks",
    "agents.logger": "definitions.logger",
    "agents.mcp": "mcp",
    "agents.mcp._compat": "compat.mcp_names",
    "agents.mcp.manager": "mcp.manager",
    "agents.mcp.server": "mcp.servers mcp.protocol mcp.policies compat.mcp_names",
    "agents.mcp.util": "mcp.functions mcp.results mcp.http mcp.policies mcp.protocol",
    "agents.memory": "sessions.session sessions.sqlite sessions.conversations sessions.compaction",
    "agents.memory.openai_conversations_session": "sessions.conversations",
    "agents.memory.openai_responses_compaction_session": "sessions.compaction definitions.run_items effects.config",
    "agents.memory.session": "sessions.session",
    "agents.memory.session_settings": "sessions.session",
    "agents.memory.sqlite_session": "sessions.sqlite compat.session_names",
    "agents.memory.util": "sessions.session",
    "agents.model_settings": "definitions.settings definitions.retry",
    "agents.models": "models",
    "agents.models._openai_shared": "models.defaults",
    "agents.models._retry_runtime": "compat.model_names",
    "agents.models.chatcmpl_converter": (
        "models.chat_converter definitions.openai_types models.fake_id"
    ),
    "agents.models.chatcmpl_helpers": "models.chat",
    "agents.models.chatcmpl_stream_handler": (
        "compat.model_names models.chat_stream definitions.openai_types models.fake_id"
    ),
    "agents.models.default_models": "definitions.default_models",
    "agents.models.fake_id": "models.fake_id",
    "agents.models.interface": "definitions.model definitions.openai_types",
    "agents.models.multi_provider": "models.provider",
    "agents.models.openai_agent_registration": "models.defaults",
    "agents.models.openai_chatcompletions": "models.chat definitions.openai_types",
    "agents.models.openai_client_utils": "models.official",
    "agents.models.openai_provider": "models.provider models.defaults",
    "agents.models.openai_responses": "models.responses models.responses_ws",
    "agents.models.reasoning_content_replay": "models.reasoning_replay",
    "agents.prompts": "definitions.prompt",
    "agents.repl": "run.repl effects.config",
    "agents.responses_websocket_session": "run.responses_session models.provider",
    "agents.result": "run.result run.stream definitions.context",
    "agents.retry": "definitions.retry",
    "agents.run": "run run.runner effects.config",
    "agents.run_config": "effects.config definitions.settings sessions.session",
    "agents.run_context": "definitions.context",
    "agents.run_error_handlers": "effects.error_handlers",
    "agents.run_state": "run.run_state definitions.openai_types",
    "agents.sandbox": "sandbox",
    "agents.sandbox.files": "sandbox.records",
    "agents.sandbox.session": "sandbox.base_session",
    "agents.sandbox.session.base_sandbox_session": "sandbox.base_session",
    "agents.sandbox.session.pty_types": "sandbox.records",
    "agents.sandbox.session.sandbox_session_state": "sandbox.base_session",
    "agents.sandbox.types": "sandbox.records",
    "agents.stream_events": "definitions.stream_events definitions.openai_types",
    "agents.streaming": "definitions.stream_events run.stream",
    "agents.strict_schema": "definitions.strict_schema",
    "agents.testing": "testing",
    "agents.testing.model": "testing.scripted testing.steps definitions.openai_types",
    "agents.testing.sandbox": "testing.sandbox",
    "agents.tool": _TOOL,
    "agents.tool_context": "definitions.context",
    "agents.tool_guardrails": "definitions.tool_guardrail",
    "agents.tracing": _TRACING,
    "agents.tracing.config": "tracing.config",
    "agents.tracing.context": "tracing.context tracing.create",
    "agents.tracing.create": "tracing.create",
    "agents.tracing.logger": "tracing.logger",
    "agents.tracing.model_tracing": "tracing.context tracing.create",
    "agents.tracing.processor_interface": "tracing.interface",
    "agents.tracing.processors": "tracing.processors tracing.exporters",
    "agents.tracing.provider": "tracing.provider",
    "agents.tracing.scope": "tracing.scope",
    "agents.tracing.setup": "tracing.setup",
    "agents.tracing.span_data": "tracing.span_data",
    "agents.tracing.spans": "tracing.spans",
    "agents.tracing.traces": "tracing.traces",
    "agents.tracing.util": "tracing.util",
    "agents.usage": "core.usage",
    "agents.version": "version",
}

ALIASES: dict[str, tuple[str, ...]] = {
    upstream: tuple(f"outlast.{ours}".rstrip(".") for ours in row.split())
    for upstream, row in _ROWS.items()
}
"""Name of a module of openai-agents -> names of our modules, searched in this order."""

_TEMPORAL = (
    "outlast.temporal.plugin", "outlast.temporal.workflow_tools", "outlast.temporal.model_activity",
    "outlast.temporal.worker_env", "outlast.temporal.workflow_servers",
)  # fmt: skip
BORROWED_NAMES: dict[str, tuple[str, ...]] = {
    "exospherehost": ("outlast.compat.exosphere_nodes",),
    "exospherehost.openai": (),
    "exospherehost.openai.agents": ("outlast.compat.exosphere", "outlast"),
    "exospherehost.openai._runner": ("outlast.compat.exosphere",),
    "temporalio.contrib.openai_agents": _TEMPORAL,
    "temporalio.contrib.openai_agents.testing": ("outlast.temporal.testing",),
    "temporalio.contrib.openai_agents.workflow": (
        "outlast.temporal.workflow_tools",
        "outlast.temporal.workflow_servers",
    ),
    "temporalio.openai_agents": _TEMPORAL,
    "temporalio.openai_agents.testing": ("outlast.temporal.testing",),
    "temporalio.openai_agents.workflow": (
        "outlast.temporal.workflow_tools",
        "outlast.temporal.workflow_servers",
    ),
}
"""The same for modules under names of other packages, which guides import."""

ABSENT = (
    "agents.extensions.sandbox",
    "agents.realtime", "agents.run_internal",
    "agents.sandbox", "agents.util", "agents.voice",
)  # fmt: skip
"""Modules of openai-agents that are not here, with all below them that no row answers for."""
