"""The plug-in for people who write workflows: `Client.connect(..., plugins=[OpenAIAgentsPlugin()])`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from importlib import import_module
from typing import Any

from temporalio import workflow
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultPayloadConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner as SandboxRunner  # noqa: TC002  # no library is hidden
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxMatcher,
    SandboxRestrictions,
)

from outlast.core.errors import AgentsException, UserError
from outlast.definitions import host
from outlast.definitions.model import ModelProvider
from outlast.models.provider import MultiProvider
from outlast.run.runner import get_default_agent_runner, set_default_agent_runner
from outlast.temporal.beside import user_code
from outlast.temporal.codec import converter
from outlast.temporal.inside import WORKFLOWS, Setup, WorkflowRunner
from outlast.temporal.model_activity import ModelActivityParameters, ModelCalls
from outlast.temporal.server_activities import ServerActivities
from outlast.temporal.store import Store
from outlast.temporal.worker_env import AllowAllWorkerEnvVars
from outlast.temporal.workflow_servers import ServerProvider

_PASSED = ("outlast", "agents", "openai_agents", "openai", "pydantic", "msgspec", "mcp", "httpx")


class OpenAIAgentsPlugin(SimplePlugin):
    """Lets workflows run agents: `Runner.run` in a class with `@workflow.defn`.

    Give it to a client, or to a worker. Model calls are activities, tools and hooks are performed once
    and may do what they like.

    Args:
        model_params: How model calls become activities.
        model_provider: What finds models by name.
        mcp_server_providers: MCP servers that workflows use by their names; see
            `StatelessMCPServerProvider`.
        sandbox_clients: Not yet.
        register_activities: Whether workers perform activities; False where others do.
        add_temporal_spans: Taken, without effect: traces are those of runs.
        use_otel_instrumentation: Taken, without effect: `outlast.otel` exports what workers trace.
        resolvable_worker_env_vars: Variables of the environment that `temporal_worker_env_ref` may name.
        mcp_servers: What makes MCP servers, by the names under which workflows use them; see
            `temporal_mcp_server`.
        mcp_connection_idle_timeout: How long such a server stays connected while nobody uses it; None for
            ever, zero to connect it for each operation.
        store: Where large payloads are kept instead of in histories, see `outlast.temporal.DirectoryStore`.
        user_code_timeout: How long one call of a tool or hook may take that is performed beside the
            workflow.
    """

    def __init__(  # noqa: PLR0913  # upstream's signature
        self,
        model_params: ModelActivityParameters | None = None,
        model_provider: ModelProvider | None = None,
        mcp_server_providers: Sequence[ServerProvider] = (),
        sandbox_clients: Sequence[Any] = (),
        register_activities: bool = True,
        add_temporal_spans: bool = True,
        use_otel_instrumentation: bool = False,
        resolvable_worker_env_vars: Collection[str] | AllowAllWorkerEnvVars = (),
        *,
        mcp_servers: Mapping[str, Callable[..., Any]] | None = None,
        mcp_connection_idle_timeout: timedelta | None = timedelta(seconds=300),
        store: Store | None = None,
        user_code_timeout: timedelta = timedelta(hours=1),
    ) -> None:
        del add_temporal_spans, use_otel_instrumentation
        if sandbox_clients:
            raise UserError("OpenAIAgentsPlugin does not know sandbox_clients yet. Leave it out.")
        params = model_params or ModelActivityParameters()
        if params.start_to_close_timeout is None and params.schedule_to_close_timeout is None:
            raise ValueError(  # upstream's class
                "ModelActivityParameters needs start_to_close_timeout or schedule_to_close_timeout."
            )
        self._setup = Setup(
            params=params,
            provider=model_provider or MultiProvider(),
            user_code_timeout=user_code_timeout,
        )
        self._store = store
        calls = ModelCalls(self._setup.provider or MultiProvider(), resolvable_worker_env_vars)
        self._servers = _servers(mcp_server_providers, mcp_servers, mcp_connection_idle_timeout)
        operations = [each for server in self._servers for each in server.activities()]
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # Temporal's own types
            name="OpenAIAgentsPlugin",
            data_converter=self._converter,
            activities=[calls.whole, calls.streamed, user_code, *operations]
            if register_activities
            else [user_code],
            workflow_runner=_sandbox,
            workflow_failure_exception_types=[AgentsException],
            run_context=self._running,
        )

    def _converter(self, given: DataConverter | None) -> DataConverter:
        found = given or DataConverter.default
        if found.payload_converter_class is DefaultPayloadConverter:
            found = replace(
                found, payload_converter_class=pydantic_data_converter.payload_converter_class
            )
        return found if self._store is None else converter(self._store, found)

    @asynccontextmanager
    async def _running(self) -> AsyncGenerator[None]:
        host.register(WORKFLOWS)
        # Loaded here and not by the first workflow, which may not take two seconds for a step.
        import_module("openai.types.responses")
        if self._servers:
            import_module("mcp.types")
        before = get_default_agent_runner()
        runner = WorkflowRunner(self._setup, before)
        set_default_agent_runner(runner)
        try:
            yield
        finally:
            set_default_agent_runner(before)
            for server in self._servers:
                await server.close()


def _servers(
    providers: Sequence[ServerProvider],
    factories: Mapping[str, Callable[..., Any]] | None,
    idle: timedelta | None,
) -> list[ServerActivities]:
    """The servers of a worker. Those of providers are connected for each operation.

    Raises:
        UserError: Two have the same name.
    """
    kept = [ServerProvider(name, make) for name, make in (factories or {}).items()]
    names = [each.name for each in (*providers, *kept)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(
            f"OpenAIAgentsPlugin has several MCP servers of the name {sorted(twice)}. Workflows know them by "
            "their names: give each its own."
        )
    once = [ServerActivities(each, timedelta(0)) for each in providers]
    return [*once, *(ServerActivities(each, idle) for each in kept)]


def _sandbox(runner: SandboxRunner | None) -> SandboxRunner:
    """The sandbox with the agents' modules passed through, and its bars for workflows only."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner or SandboxedWorkflowRunner(restrictions=_opened(SandboxRestrictions.default))
    return replace(runner, restrictions=_opened(runner.restrictions))


def _opened(restrictions: SandboxRestrictions) -> SandboxRestrictions:
    passed = restrictions.with_passthrough_modules(*_PASSED)
    return replace(passed, invalid_module_members=_free_outside(passed.invalid_module_members))


class _FreeOutside(SandboxMatcher):
    """Bars what a workflow must not do, and nothing where the same code is performed beside one."""

    def access_matcher(self, context: Any, *child_path: str, include_use: bool = False) -> Any:
        found = super().access_matcher(context, *child_path, include_use=include_use)
        return found if found is None or workflow.in_workflow() else None

    def child_matcher(self, *child_path: str) -> SandboxMatcher | None:
        found = super().child_matcher(*child_path)
        return None if found is None else _free_outside(found)


def _free_outside(matcher: SandboxMatcher) -> SandboxMatcher:
    if isinstance(matcher, _FreeOutside):
        return matcher
    assert is_dataclass(matcher)
    parts = {each.name: getattr(matcher, each.name) for each in fields(matcher) if each.init}
    parts["children"] = {name: _free_outside(each) for name, each in matcher.children.items()}
    return _FreeOutside(**parts)
