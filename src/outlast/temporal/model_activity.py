"""Model calls of runs inside workflows, each an activity: the request is data, any worker answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from typing import Any, NoReturn

import msgspec
from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ActivityCancellationType, VersioningIntent

from outlast.core.errors import AgentsException, UserError
from outlast.core.events import UsageFacts
from outlast.core.usage import Usage, facts_of, usage_of
from outlast.definitions import hosted_tools, tool
from outlast.definitions.handoff import Handoff
from outlast.definitions.limits import ModelEndpoint, ModelLimits
from outlast.definitions.model import Model, ModelProvider, ModelTracing
from outlast.definitions.output import AgentOutputSchemaBase
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.effects.place import here
from outlast.effects.projection import typed, wire
from outlast.models.normalized import normalized_error
from outlast.temporal.tokens import typed_event
from outlast.temporal.worker_env import AllowAllWorkerEnvVars, resolved

NO_LIMITS = ModelLimits(connect=None, first_byte=None, idle=None, thinking=None, total=None)
"""In a workflow the activity's time-outs hold."""
_WHOLE, _STREAMED = "invoke_model_activity", "invoke_model_activity_streaming"
_REFUSED = range(400, 500)
_MAY_PASS = {408, 409, 429}
"""Refusals of a request that another attempt may get past."""


class ModelSummaryProvider:
    """Words what Temporal's interface shows of a model call. Subclass it."""

    def provide(self, agent: Any, instructions: str | None, input: Any) -> str:  # noqa: A002  # upstream's name
        """The summary of a call."""
        raise NotImplementedError


@dataclass
class ModelActivityParameters:
    """How model calls of runs inside workflows become activities.

    Attributes:
        task_queue: The queue of the workers that call models; None is the workflow's own.
        schedule_to_close_timeout: How long a call may take with all its attempts and waits.
        schedule_to_start_timeout: How long it may wait for a worker.
        start_to_close_timeout: How long one attempt may take.
        heartbeat_timeout: How long a worker may be silent.
        retry_policy: How often and when a call is attempted again; None is Temporal's default.
        cancellation_type: What a workflow that is cancelled does about a call.
        versioning_intent: Which workers may take it.
        summary_override: What Temporal's interface shows; by default the agent's name.
        priority: Before which other activities it goes.
        use_local_activity: Call models in the worker that has the workflow.
        streaming_topic: Taken, without effect: a stream of `Runner.run_streamed` needs none.
        streaming_batch_interval: Taken, without effect.
    """

    task_queue: str | None = None
    schedule_to_close_timeout: timedelta | None = None
    schedule_to_start_timeout: timedelta | None = None
    start_to_close_timeout: timedelta | None = field(default_factory=lambda: timedelta(seconds=60))
    heartbeat_timeout: timedelta | None = None
    retry_policy: RetryPolicy | None = None
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL
    versioning_intent: VersioningIntent | None = None
    summary_override: str | ModelSummaryProvider | None = None
    priority: Priority = Priority.default
    use_local_activity: bool = False
    streaming_topic: str | None = None
    streaming_batch_interval: timedelta = field(default_factory=lambda: timedelta(seconds=0.1))

    def options(self, summary: str) -> dict[str, Any]:
        """What `workflow.execute_activity`, or its local form, takes."""
        names = ["schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout"]
        names += ["retry_policy", "cancellation_type"]
        if self.use_local_activity:
            return {name: getattr(self, name) for name in names}
        names += ["task_queue", "heartbeat_timeout", "versioning_intent", "priority"]
        return {**{name: getattr(self, name) for name in names}, "summary": summary[:200]}


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model is asked, as data."""

    model: str | None
    instructions: str | None
    input: Any
    settings: dict[str, Any]
    tools: list[dict[str, Any]]
    schema: dict[str, Any] | None
    handoffs: list[dict[str, Any]]
    tracing: int
    more: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What it said."""

    output: list[Any]
    usage: Any
    response_id: str | None = None
    request_id: str | None = None
    events: list[Any] = []
    """Of a stream."""


class ActivityModel(Model):
    """Stands for a model in a workflow: each call is an activity."""

    def __init__(self, name: str | None, params: ModelActivityParameters) -> None:
        self.model = name or "default"
        self._name, self._params = name, params

    def endpoint(self) -> ModelEndpoint:
        return ModelEndpoint(retries=0, limits=NO_LIMITS, reports_data=False)

    async def get_response(self, *args: Any, **more: Any) -> ModelResponse:
        return _response(await self._asked(_WHOLE, args, more))

    async def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        if self._params.use_local_activity:
            raise UserError(
                "ModelActivityParameters(use_local_activity=True) was given, and local activities do not "
                "stream. Leave it out for Runner.run_streamed."
            )
        answer = await self._asked(_STREAMED, args, more)
        for event in answer.events:
            yield typed_event(event)

    async def _asked(self, name: str, args: tuple[Any, ...], more: dict[str, Any]) -> Answer:
        request = msgspec.to_builtins(_request(self._name, args, more))
        execute: Any = (
            workflow.execute_local_activity
            if self._params.use_local_activity
            else workflow.execute_activity
        )
        options = self._params.options(self._summary(args))
        answer = await execute(name, args=[request], result_type=dict, **options)
        return msgspec.convert(answer, Answer)

    def _summary(self, args: tuple[Any, ...]) -> str:
        override = self._params.summary_override
        if isinstance(override, str):
            return override
        place = here()
        agent = place.state.agent if place else ""
        return override.provide(agent, args[0], args[1]) if override else agent


class ActivityModels(ModelProvider):
    """Finds models by name, for workflows."""

    def __init__(self, params: ModelActivityParameters) -> None:
        self._params = params

    def get_model(self, model_name: str | None) -> Model:
        return ActivityModel(model_name, self._params)


class ModelCalls:
    """The activities that call models, on a worker."""

    def __init__(
        self,
        provider: ModelProvider,
        variables: Collection[str] | AllowAllWorkerEnvVars = (),
    ) -> None:
        self._provider = provider
        self._variables = variables

    @activity.defn(name=_WHOLE)
    async def whole(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a model says."""
        try:
            model, args, more = self._call(request)
            response = await model.get_response(*args, **more)
        except Exception as error:  # noqa: BLE001  # whatever a provider raises
            _raise(error)
        return _answer(response)

    @activity.defn(name=_STREAMED)
    async def streamed(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a model says, with the events of its stream."""
        try:
            model, args, more = self._call(request)
            events = [wire(each) async for each in model.stream_response(*args, **more)]
        except Exception as error:  # noqa: BLE001  # whatever a provider raises
            _raise(error)
        return msgspec.to_builtins(Answer([], None, events=events))

    def _call(self, data: dict[str, Any]) -> tuple[Model, tuple[Any, ...], dict[str, Any]]:
        asked = msgspec.convert(data, Request)
        settings = ModelSettings(**{k: v for k, v in asked.settings.items() if v is not None})
        args = (
            asked.instructions,
            asked.input,
            settings,
            [_tool(resolved(each, self._variables)) for each in asked.tools],
            _Schema(asked.schema) if asked.schema else None,
            [Handoff(on_invoke_handoff=_not_here, **each) for each in asked.handoffs],
            ModelTracing(asked.tracing),
        )
        more = dict.fromkeys(("previous_response_id", "conversation_id", "prompt")) | asked.more
        return self._provider.get_model(asked.model), args, more


def _raise(error: Exception) -> NoReturn:
    """Fail the attempt, for good where no other one can do better."""
    known = normalized_error(error)
    status = known.status_code
    is_refused = status is not None and status in _REFUSED and status not in _MAY_PASS
    raise ApplicationError(
        str(error),
        type=type(error).__name__,
        non_retryable=is_refused or isinstance(error, AgentsException),
        next_retry_delay=None
        if known.retry_after is None
        else timedelta(seconds=known.retry_after),
    ) from error


def _answer(response: ModelResponse) -> dict[str, Any]:
    output = [wire(each) for each in response.output]
    usage = facts_of(response.usage)
    return msgspec.to_builtins(Answer(output, usage, response.response_id, response.request_id))


def _response(answer: Answer) -> ModelResponse:
    usage: Usage = usage_of(msgspec.convert(answer.usage, UsageFacts))
    output = [typed(each) for each in answer.output]
    return ModelResponse(output, usage, answer.response_id, answer.request_id)


# --- A request as data. ------------------------------------------------------------------


def _request(name: str | None, args: tuple[Any, ...], more: dict[str, Any]) -> Request:
    instructions, given, settings, tools, schema, handoffs, tracing = args
    said = settings.to_json_dict()
    said.pop("retry", None)
    return Request(
        name,
        instructions,
        given if isinstance(given, str) else [wire(each) for each in given],
        {key: value for key, value in said.items() if value is not None},
        [_tool_data(each) for each in tools],
        None if schema is None else _schema_data(schema),
        [_handoff_data(each) for each in handoffs],
        tracing.value,
        {key: value for key, value in more.items() if value is not None},
    )


def _schema_data(schema: AgentOutputSchemaBase) -> dict[str, Any]:
    if schema.is_plain_text():
        return {"name": schema.name()}
    strict = schema.is_strict_json_schema()
    return {"name": schema.name(), "schema": schema.json_schema(), "strict": strict}


def _handoff_data(transfer: Handoff) -> dict[str, Any]:
    names = ("tool_name", "tool_description", "input_json_schema", "agent_name")
    said = {name: getattr(transfer, name) for name in names}
    return {**said, "strict_json_schema": transfer.strict_json_schema}


def _tool_data(each: Any) -> dict[str, Any]:
    """A tool without what is called when the model uses it."""
    if isinstance(each, tool.FunctionTool):
        names = ["name", "description", "params_json_schema", "strict_json_schema"]
        data = {name: getattr(each, name) for name in names}
    elif is_dataclass(each):
        data = {
            part.name: getattr(each, part.name)
            for part in fields(each)
            if part.init and not callable(getattr(each, part.name))
        }
    else:
        data = {}
    return {"kind": type(each).__name__, **msgspec.to_builtins(data, enc_hook=wire)}


def _tool(data: dict[str, Any]) -> Any:
    data = dict(data)
    kind = data.pop("kind")
    if kind == "FunctionTool":
        return tool.FunctionTool(on_invoke_tool=_not_here, **data)
    found: Any = getattr(tool, kind, None) or getattr(hosted_tools, kind, None)
    if found is None:
        raise UserError(
            f"A tool of type {kind} cannot travel to the worker that calls the model. Use function tools "
            "and hosted tools in workflows."
        )
    return found(**data)


class _Schema(AgentOutputSchemaBase):
    """What a final output has to look like, where the type behind it is elsewhere."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def is_plain_text(self) -> bool:
        return "schema" not in self._data

    def name(self) -> str:
        return self._data["name"]

    def json_schema(self) -> dict[str, Any]:
        return self._data["schema"]

    def is_strict_json_schema(self) -> bool:
        return self._data["strict"]

    def validate_json(self, json_str: str) -> Any:
        raise NotImplementedError


async def _not_here(*_: Any) -> Any:
    raise UserError("Tools and handoffs are not performed where the model is called.")
