"""What A2A's methods do: each reads the log, or posts a command."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Never

from a2a.server.context import ServerCallContext
from a2a.server.events.event_queue import Event
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import (
    ExtendedAgentCardNotConfiguredError,
    InternalError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from outlast.core.errors import AgentsException
from outlast.definitions.agent import Agent
from outlast.run import control, decisions
from outlast.server.a2a.tasks import TERMINAL, decisions_of, input_of, task_of
from outlast.server.callers import Caller
from outlast.server.problems import Problem, problem_of
from outlast.server.service import Order, Service

WAIT_S = 60.0
_WORDS = {
    a2a.TaskState.TASK_STATE_SUBMITTED: "running",
    a2a.TaskState.TASK_STATE_WORKING: "running",
    a2a.TaskState.TASK_STATE_INPUT_REQUIRED: "waiting",
    a2a.TaskState.TASK_STATE_COMPLETED: "completed",
    a2a.TaskState.TASK_STATE_FAILED: "failed",
    a2a.TaskState.TASK_STATE_REJECTED: "failed",
    a2a.TaskState.TASK_STATE_CANCELED: "cancelled",
}
_NOT_FOUND, _SERVERS_FAULT = 404, 500
_RESTS = TERMINAL | {a2a.TaskState.TASK_STATE_INPUT_REQUIRED}


@asynccontextmanager
async def _in_its_words() -> AsyncGenerator[None]:
    """Say errors of ours as the protocol does."""
    try:
        yield
    except (Problem, AgentsException) as error:
        problem = problem_of(error)
        if problem is None or problem.status_code >= _SERVERS_FAULT:
            raise InternalError(problem.detail if problem else None) from error
        if problem.status_code == _NOT_FOUND:
            raise TaskNotFoundError(problem.detail) from error
        raise InvalidParamsError(problem.detail) from error


class Handler(RequestHandler):
    """The methods of one agent."""

    def __init__(self, service: Service, agent: Agent[Any]) -> None:
        self._service = service
        self._agent = agent

    async def on_message_send(
        self, params: a2a.SendMessageRequest, context: ServerCallContext
    ) -> a2a.Task:
        """Begin a task or go on with one, and wait until it ends or needs a person."""
        caller, newest = _caller(context, "runs:write"), _newest(params.configuration)
        async with _in_its_words():
            run_id = await self._said(params.message, caller)
            task = await self._task(run_id, caller, newest)
            while not (params.configuration.return_immediately or self._service.leaving.is_set()):
                if task.status.state in _RESTS:
                    break
                await self._service.wait(run_id, WAIT_S)
                task = await self._task(run_id, caller, newest)
            return task

    async def on_message_send_stream(
        self, params: a2a.SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Begin a task or go on with one, and tell how it goes on until it ends or needs a person."""
        caller, newest = _caller(context, "runs:write"), _newest(params.configuration)
        async with _in_its_words():
            run_id = await self._said(params.message, caller)
            async for event in self._updates(run_id, caller, newest):
                yield event

    async def on_subscribe_to_task(
        self, params: a2a.SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Tell how a task goes on until it ends, or needs a person again."""
        caller = _caller(context, "runs:read")
        async with _in_its_words():
            task = await self._task(params.id, caller, None)
            if task.status.state in TERMINAL:
                raise UnsupportedOperationError(f"Task {params.id!r:.150} has ended: get it.")
            async for event in self._updates(params.id, caller, None):
                yield event

    async def _updates(
        self, run_id: str, caller: Caller, newest: int | None
    ) -> AsyncGenerator[Event]:
        """A task as it is, and each state that it comes to behind that."""
        log = await self._service.log(run_id, caller)
        task = await self._task(run_id, caller, newest)
        yield task
        state = task.status.state
        if state in TERMINAL:
            return
        async for _ in self._service.journal.watch(run_id, after=log[-1].seq):
            task = await self._task(run_id, caller, 0)
            if task.status.state == state:
                continue
            state = task.status.state
            about: Any = {"task_id": task.id, "context_id": task.context_id}
            for artifact in task.artifacts:
                yield a2a.TaskArtifactUpdateEvent(artifact=artifact, last_chunk=True, **about)
            yield a2a.TaskStatusUpdateEvent(status=task.status, **about)
            if state in _RESTS:
                return

    async def on_get_task(
        self, params: a2a.GetTaskRequest, context: ServerCallContext
    ) -> a2a.Task | None:
        """A task as it is."""
        async with _in_its_words():
            return await self._task(params.id, _caller(context, "runs:read"), _newest(params))

    async def on_list_tasks(
        self, params: a2a.ListTasksRequest, context: ServerCallContext
    ) -> a2a.ListTasksResponse:
        """The caller's tasks, the newest first, a page at a time."""
        caller = _caller(context, "runs:read")
        size = min(params.page_size or 50, 100)
        which: dict[str, Any] = {
            "agent": self._agent.name,
            "tenant": caller.tenant,
            "session_id": params.context_id or None,
            "status": _WORDS.get(params.status),
            "roots_only": True,
        }
        async with _in_its_words():
            before = params.page_token or None
            found = await self._service.journal.runs(limit=size + 1, before=before, **which)
            newest = params.history_length if params.HasField("history_length") else 0
            tasks = [await self._task(run.run_id, caller, newest) for run in found[:size]]
        if params.status:
            tasks = [task for task in tasks if task.status.state == params.status]
        more = found[size - 1].run_id if len(found) > size else ""
        return a2a.ListTasksResponse(
            tasks=tasks, next_page_token=more, page_size=size, total_size=len(tasks)
        )

    async def on_cancel_task(
        self, params: a2a.CancelTaskRequest, context: ServerCallContext
    ) -> a2a.Task | None:
        """End a task, whoever performs it."""
        caller = _caller(context, "runs:write")
        async with _in_its_words():
            task = await self._task(params.id, caller, None)
            if task.status.state in TERMINAL:
                raise TaskNotCancelableError(f"Task {params.id!r:.150} has ended.")
            config = {"journal": self._service.journal}
            await control.cancel(params.id, by=caller.id, run_config=config)
            if self._service.performs:
                await self._service.worker.offer(params.id)
            await self._service.wait(params.id, WAIT_S)
            return await self._task(params.id, caller, None)

    async def _task(self, run_id: str, caller: Caller, newest: int | None) -> a2a.Task:
        log = await self._service.log(run_id, caller)
        return task_of(run_id, log, is_held=await self._service.is_held(run_id), newest=newest)

    async def _said(self, message: a2a.Message, caller: Caller) -> str:
        """The run that a message begins or goes on with; the same message again finds it."""
        if message.task_id:
            await self._told(message, caller)
            return message.task_id
        said = input_of(message)
        if not said:
            raise InvalidParamsError("The message has no parts. Send a text, data or a file.")
        whose = f"{caller.tenant or ''}\0{caller.id}\0{message.message_id}"
        order = Order(
            agent=self._agent.name,
            input=said,
            key=f"a2a\0{message.message_id}",
            session_id=message.context_id or str(uuid.uuid5(uuid.NAMESPACE_OID, whose)),
        )
        return (await self._service.begin(order, caller))[0]

    async def _told(self, message: a2a.Message, caller: Caller) -> None:
        """Decide about calls of a run that waits, or let it hear something more."""
        run_id, config = message.task_id, {"journal": self._service.journal}
        task = await self._task(run_id, caller, 0)
        if task.status.state in TERMINAL:
            raise UnsupportedOperationError(
                f"Task {run_id!r:.150} has ended. Send the message with its contextId alone."
            )
        decided = decisions_of(message)
        if decided and not caller.may("approvals:decide"):
            raise UnsupportedOperationError("This wants the scope 'approvals:decide'.")
        for key, is_approved in decided.items():
            decide = decisions.approve if is_approved else decisions.reject
            await decide(run_id, key, by=caller.id, run_config=config)
        if not decided and task.status.state == a2a.TaskState.TASK_STATE_INPUT_REQUIRED:
            raise InvalidParamsError(
                'Decide by a data part: {"approvals": {"CALL": true}}. The status names the calls.'
            )
        if not decided:
            said: Any = input_of(message)
            await control.send(run_id, said, by=caller.id, run_config=config)
        if self._service.performs:
            await self._service.worker.offer(run_id)

    # --- What is not offered. ------------------------------------------------------------

    async def _no_push(self, params: Any, context: ServerCallContext) -> Never:
        """No task calls back."""
        del params, context
        raise PushNotificationNotSupportedError

    on_create_task_push_notification_config = _no_push
    on_get_task_push_notification_config = _no_push
    on_list_task_push_notification_configs = _no_push
    on_delete_task_push_notification_config = _no_push

    async def on_get_extended_agent_card(self, params: Any, context: ServerCallContext) -> Never:
        """The card is all there is."""
        del params, context
        raise ExtendedAgentCardNotConfiguredError


def _caller(context: ServerCallContext, scope: str) -> Caller:
    """Who asks, if they may."""
    caller: Caller = context.state["caller"]
    if not caller.may(scope):
        raise UnsupportedOperationError(f"This wants the scope {scope!r}.")
    return caller


def _newest(params: Any) -> int | None:
    return params.history_length if params.HasField("history_length") else None
