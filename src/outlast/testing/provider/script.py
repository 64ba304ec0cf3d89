"""Scripts: where answers come from, in a program and in a file.

A file is JSON: a list of steps, or an object with them under ``steps``. A step is an object:

    {"text": "Hello."}                              what the model says
    {"tool_calls": [{"name": "refund", "arguments": {"order_id": "A-1007"}, "call_id": "call-1"}]}
    {"reasoning": "Thinking.", "text": "Hello."}    reasoning before the answer
    {"refusal": "I will not."}
    {"output": [{"type": "message", ...}]}          items as the Responses API has them
    {"error": {"status": 429, "message": "Slow down.", "code": "rate_limit_exceeded",
               "headers": {"Retry-After": "1"}}}
    {"fault": "rst_mid"}                            one of FAULTS

beside which ``usage`` (``input_tokens``, ``output_tokens``) and ``response_id`` may stand.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from outlast.core.errors import UserError
from outlast.core.usage import Usage
from outlast.definitions.model import Model
from outlast.testing.provider.calls import BadRequest, items_of, replies_in
from outlast.testing.provider.fault_replies import message
from outlast.testing.provider.faults import fault
from outlast.testing.provider.parsed import as_list, as_object, objects_in
from outlast.testing.steps import (
    ModelCall,
    ModelScriptError,
    ModelScriptItem,
    ModelStep,
    answered,
    assistant_message,
    checked_step,
    function_call,
    typed_item,
)

_OUTCOMES = ("text", "tool_calls", "reasoning", "refusal", "output", "error", "fault")
_STEP_KEYS = {*_OUTCOMES, "usage", "response_id", "request_id", "raw_usage"}


class ScriptFileError(UserError):
    """A script file cannot be played. The text names the file, the step and what was expected."""


class StatusError(Exception):
    """An answer of the provider that is an error, as a step of a script.

    Args:
        status: The HTTP status, 400 or more.
        message: What the provider says.
        code: The provider's word for it.
        headers: Headers of the answer, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status
        self.code = code
        self.headers = dict(headers or {})


Source = Callable[[ModelCall, list[Any]], Awaitable[ModelStep]]
"""Answers a call; the list is what the conversation holds before the call's input."""


class ScriptSource:
    """Answers from a script: the next step for each request, or the one of the conversation's turn.

    Args:
        steps: The script.
        stateless: Choose the step by how many replies the conversation holds, so that a program
            that was killed, and asks again, is told the same again.
    """

    def __init__(self, steps: Iterable[ModelScriptItem], *, stateless: bool = False) -> None:
        self._steps = deque(checked_step(step, index) for index, step in enumerate(steps))
        self._stateless = stateless
        self._size = len(self._steps)

    @property
    def remaining(self) -> int:
        """How many steps no request has taken yet."""
        return len(self._steps)

    def extend(self, steps: Iterable[ModelScriptItem]) -> None:
        """Add steps to the end of the script."""
        added = [checked_step(step, index) for index, step in enumerate(steps)]
        self._steps.extend(added)
        self._size += len(added)

    async def __call__(self, call: ModelCall, history: list[Any]) -> ModelStep:
        """The step that answers ``call``."""
        return await answered(self._chosen([*history, *as_list(call.input)]), call)

    def _chosen(self, conversation: list[Any]) -> ModelStep:
        turn = replies_in(conversation)
        if self._stateless and turn < len(self._steps):
            return self._steps[turn]
        if not self._stateless and self._steps:
            return self._steps.popleft()
        asked = f"turn {turn + 1}" if self._stateless else f"request {self._size + 1}"
        raise BadRequest(
            f"The script has {self._size} steps and was asked for {asked}. Add a step, or find "
            "out why the program asks again.",
            "script_exhausted",
        )


def answers_of(model: Model) -> Source:
    """A source that asks a model in this process, such as the offline one."""

    async def answer(call: ModelCall, history: list[Any]) -> ModelStep:
        reply = await model.get_response(
            call.system_instructions,
            [*history, *items_of(call.input)],
            call.model_settings,
            call.tools,
            call.output_schema,
            call.handoffs,
            call.tracing,
            previous_response_id=None,
            conversation_id=None,
            prompt=call.prompt,
        )
        return checked_step(reply)

    return answer


def load_script(path: str | Path) -> list[ModelScriptItem]:
    """The steps in a script file; `ScriptedModel` and `ScriptedProvider` take them alike.

    Raises:
        ScriptFileError: There is no such file, or it is not a script.
    """
    path = Path(path)
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptFileError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ScriptFileError(f"{path}: expected JSON, but {error}.") from error
    steps = as_object(found).get("steps", found)
    if not isinstance(steps, list):
        raise ScriptFileError(f'{path}: expected a list of steps, or {{"steps": [...]}}.')
    played: list[ModelScriptItem] = []
    for number, step in enumerate(as_list(steps), 1):
        try:
            played.append(_step(step, number))
        except (ValueError, TypeError, KeyError, AttributeError, UserError, ModelScriptError) as e:
            said = f"{e.args[0]!r} is missing" if isinstance(e, KeyError) else str(e)
            raise ScriptFileError(f"{path}, step {number}: {said}") from e
    return played


def _step(told: Any, number: int) -> ModelScriptItem:
    if not isinstance(told, dict):
        raise TypeError(f"expected an object, found {json.dumps(told)[:60]}.")
    step = as_object(told)
    if unknown := sorted(step.keys() - _STEP_KEYS):
        raise ValueError(f"unknown keys {unknown}; expected some of {sorted(_STEP_KEYS)}.")
    if step.keys().isdisjoint(_OUTCOMES):
        raise ValueError(f"expected at least one of {', '.join(_OUTCOMES)}.")
    if "fault" in step:
        return fault(step["fault"])
    return _error(as_object(step["error"])) if "error" in step else _answer(step, number)


def _error(told: dict[str, Any]) -> StatusError:
    status = told["status"]
    if not isinstance(status, int) or status < 400:  # noqa: PLR2004 (where errors begin)
        raise ValueError(f"error.status must be a number of 400 or more, not {status!r}.")
    return StatusError(
        status,
        str(told.get("message", f"Scripted error {status}.")),
        code=told.get("code"),
        headers={key: str(value) for key, value in as_object(told.get("headers")).items()},
    )


def _answer(step: dict[str, Any], number: int) -> ModelStep:
    output: list[Any] = [_item(item) for item in as_list(step.get("output"))]
    if "reasoning" in step:
        output.append(reasoning(_text(step, "reasoning"), item_id=f"reasoning-{number}"))
    if "text" in step:
        output.append(assistant_message(_text(step, "text"), item_id=f"message-{number}"))
    if "refusal" in step:
        output.append(refusal(_text(step, "refusal"), item_id=f"message-{number}"))
    for index, call in enumerate(objects_in(step.get("tool_calls"))):
        call_id = call.get("call_id", f"call-{number}-{index + 1}")
        arguments = call.get("arguments", {})
        output.append(function_call(call["name"], arguments, call_id=call_id))
    made = ModelStep(
        output=output,
        usage=_usage(as_object(step.get("usage"))),
        response_id=step.get("response_id", "resp-789"),
        request_id=step.get("request_id"),
        raw_usage=step.get("raw_usage"),
    )
    return checked_step(made, number - 1)


def _text(step: dict[str, Any], key: str) -> str:
    if not isinstance(step[key], str):
        raise TypeError(f"{key} must be a text, not {json.dumps(step[key])[:60]}.")
    return step[key]


def _usage(told: dict[str, Any]) -> Usage:
    if not told:
        return Usage()
    read, wrote = int(told.get("input_tokens", 0)), int(told.get("output_tokens", 0))
    total = int(told.get("total_tokens", read + wrote))
    return Usage(requests=1, input_tokens=read, output_tokens=wrote, total_tokens=total)


def _item(wire: Any) -> Any:
    from pydantic import ValidationError

    try:
        return typed_item(wire)
    except ValidationError as error:
        kind = as_object(wire).get("type", wire)
        raise ValueError(
            f"output: {kind!r} is no item of the Responses API as it stands."
        ) from error


def reasoning(text: str, *, item_id: str = "scripted-reasoning") -> Any:
    """A finished reasoning item with ``text`` as its summary."""
    part = {"type": "summary_text", "text": text}
    return typed_item({"id": item_id, "type": "reasoning", "summary": [part]})


def refusal(text: str, *, item_id: str = "scripted-message") -> Any:
    """A finished message of the assistant that refuses, and says ``text``."""
    part = {"type": "refusal", "refusal": text}
    return typed_item({**message(""), "id": item_id, "content": [part]})
