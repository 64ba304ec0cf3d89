"""Temporal's own building blocks as tools of agents in workflows: activities, Nexus operations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, get_type_hints

from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError, TemporalError
from temporalio.workflow import ActivityCancellationType, VersioningIntent

from outlast.core.errors import AgentsException
from outlast.definitions.arguments import json_object
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.schema import function_schema
from outlast.definitions.tool import FunctionTool
from outlast.temporal.placement import InWorkflow


class AgentsWorkflowError(AgentsException):
    """Something in a workflow cannot be done for an agent. The workflow fails of it."""


class ToolSerializationError(AgentsWorkflowError, TemporalError):
    """What a tool's activity returned cannot become a text for the model."""


def activity_as_tool(  # noqa: PLR0913  # upstream's signature
    fn: Callable[..., Any],
    *,
    task_queue: str | None = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
    activity_id: str | None = None,
    versioning_intent: VersioningIntent | None = None,
    summary: str | None = None,
    priority: Priority = Priority.default,
    strict_json_schema: bool = True,
) -> FunctionTool:
    """A tool that performs an activity, for agents in workflows.

    Plain function tools do without: see `placement`. An activity has a queue, time-outs, retries and
    heartbeats of its own, and may take hours.

    Args:
        fn: A function with `@activity.defn`, or a method of a class with such ones. If its first
            parameter is a `RunContextWrapper`, it gets a copy of the context, which it cannot change.
        task_queue: And the others: as `workflow.execute_activity` takes them.
        schedule_to_close_timeout: See there.
        schedule_to_start_timeout: See there.
        start_to_close_timeout: See there. This one or `schedule_to_close_timeout` is needed.
        heartbeat_timeout: See there.
        retry_policy: See there.
        cancellation_type: See there.
        activity_id: See there.
        versioning_intent: See there.
        summary: What Temporal's interface shows; by default the description of the function.
        priority: See there.
        strict_json_schema: Whether the model has to keep to the schema of the arguments.

    Raises:
        ApplicationError: ``fn`` is no activity.
    """
    if not activity._Definition.from_callable(fn):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]  # there is no public way to ask
        raise ApplicationError(
            "Bare function without tool and activity decorators is not supported",
            "invalid_tool",
        )
    plain = _without_self(fn)
    schema = function_schema(plain, strict_json_schema=strict_json_schema)
    options = {
        "task_queue": task_queue,
        "schedule_to_close_timeout": schedule_to_close_timeout,
        "schedule_to_start_timeout": schedule_to_start_timeout,
        "start_to_close_timeout": start_to_close_timeout,
        "heartbeat_timeout": heartbeat_timeout,
        "retry_policy": retry_policy,
        "cancellation_type": cancellation_type,
        "activity_id": activity_id,
        "versioning_intent": versioning_intent,
        "summary": summary or (schema.description or "")[:200] or None,
        "priority": priority,
    }
    return FunctionTool(
        name=schema.name,
        description=schema.description or "",
        params_json_schema=schema.params_json_schema,
        on_invoke_tool=_Activity(fn, schema, options),
        strict_json_schema=strict_json_schema,
    )


class _Activity(InWorkflow):
    """Performs an activity with the arguments of a call."""

    def __init__(self, fn: Callable[..., Any], schema: Any, options: dict[str, Any]) -> None:
        self._fn, self._schema, self._options = fn, schema, options

    async def __call__(self, context: RunContextWrapper, text: str) -> Any:
        schema = self._schema
        given = schema.params_pydantic_model(**json_object(schema.name, text))
        args, kwargs = schema.to_call_args(given)
        names = inspect.signature(_without_self(self._fn)).parameters
        ordered = [*args, *(kwargs[name] for name in names if name in kwargs)]
        if schema.takes_context:
            ordered.insert(0, context)
        is_method = inspect.ismethod(self._fn) or _is_method(self._fn)
        execute = workflow.execute_activity_method if is_method else workflow.execute_activity
        return await execute(self._fn, args=ordered, **self._options)


def _is_method(fn: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(fn).parameters), "")
    return inspect.isfunction(fn) and first == "self"


def _without_self(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A method as a function of its arguments alone, for its schema."""
    if not _is_method(fn):
        return fn
    signature = inspect.signature(fn)
    known = {name: each for name, each in signature.parameters.items() if name != "self"}

    def plain(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    plain.__name__, plain.__doc__ = fn.__name__, fn.__doc__
    plain.__annotations__ = get_type_hints(fn)
    plain.__signature__ = signature.replace(parameters=list(known.values()))
    return plain


def nexus_operation_as_tool(
    operation: Any,
    *,
    service: type[Any],
    endpoint: str,
    schedule_to_close_timeout: timedelta | None = None,
    strict_json_schema: bool = True,
) -> FunctionTool:
    """A tool that performs a Nexus operation, for agents in workflows.

    Args:
        operation: The operation, as its service declares it.
        service: The service.
        endpoint: Where the service is.
        schedule_to_close_timeout: How long it may take.
        strict_json_schema: Whether the model has to keep to the schema of the arguments.
    """

    def operation_callable(input: Any) -> Any:  # noqa: A002  # what the model is told
        del input

    operation_callable.__annotations__ = {
        "input": operation.input_type,
        "return": operation.output_type,
    }
    operation_callable.__name__ = operation.name
    schema = function_schema(operation_callable, strict_json_schema=strict_json_schema)
    limit = schedule_to_close_timeout
    return FunctionTool(
        name=schema.name,
        description=schema.description or "",
        params_json_schema=schema.params_json_schema,
        on_invoke_tool=_Operation(operation, service, endpoint, limit, schema),
        strict_json_schema=strict_json_schema,
    )


class _Operation(InWorkflow):
    def __init__(
        self, operation: Any, service: Any, endpoint: str, limit: timedelta | None, schema: Any
    ) -> None:
        self._operation, self._service, self._endpoint = operation, service, endpoint
        self._limit, self._schema = limit, schema

    async def __call__(self, context: RunContextWrapper, text: str) -> Any:
        del context
        given = self._schema.params_pydantic_model(**json_object(self._schema.name, text))
        args, _ = self._schema.to_call_args(given)
        client: Any = workflow.create_nexus_client(endpoint=self._endpoint, service=self._service)
        return await client.execute_operation(
            self._operation, args[0], schedule_to_close_timeout=self._limit
        )
