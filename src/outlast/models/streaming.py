"""One finished reply as the stream of Responses events that would have led to it, and back.

`reply_events` serves every model that has its answer at once (scripted, offline). What a Response
cannot say (several requests in one reply, no id, the provider's own usage) travels beside it in
private attributes, so that `reply_of` gives back exactly the reply that was streamed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from outlast.core.errors import ModelBehaviorError
from outlast.core.usage import Usage, token_count
from outlast.definitions.run_items import ModelResponse
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.fast_events import event_types

if TYPE_CHECKING:
    from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent

_USAGE = "_agents_sdk_normalized_usage"
_REQUESTS = "_agents_sdk_request_count"
_RAW_USAGE = "_agents_sdk_raw_usage"
_REQUEST_ID = "_request_id"  # openai sets it on what it parses

Facts: TypeAlias = dict[str, Any]
Split: TypeAlias = Callable[[str], list[str]]
"""Cuts a text into its deltas."""


def _whole(text: str) -> list[str]:
    return [text]


def reply_events(
    reply: ModelResponse, *, model: str, split: Split = _whole
) -> Iterator[ResponseStreamEvent]:
    """The events of ``reply``, from ``response.created`` to ``response.completed``.

    Args:
        reply: A finished reply of messages, reasoning, function calls and patch calls.
        model: The name that the response carries.
        split: Cuts a text into its deltas.

    Raises:
        ModelBehaviorError: An item is of another kind; nothing has been yielded.
    """
    for item in reply.output:
        if getattr(item, "type", None) not in _PARTS:  # a mapping has no attributes
            raise ModelBehaviorError(
                f"Automatic streaming does not support {type(item).__name__}. "
                "Give the exact events with ModelStep.stream(...)."
            )
    return _numbered(_events(reply, model, split))


def reply_of(response: Response, *, keep_raw_usage: bool = False) -> ModelResponse:
    """What a finished ``response`` of a stream or request says, as the reply of a model."""
    return ModelResponse(
        output=list(response.output),
        usage=usage_in(response),
        response_id=None if response.id == FAKE_RESPONSES_ID else response.id,
        request_id=getattr(response, _REQUEST_ID, None),
        raw_usage=raw_usage_of(response) if keep_raw_usage else None,
    )


def mark_request(response: Response, request_id: str) -> None:
    """Let ``response`` say which request it answers, as the library does without streaming."""
    setattr(response, _REQUEST_ID, request_id)


def mark_raw_usage(response: Response, usage: Facts | None) -> None:
    """Let ``response`` say its usage in the provider's own words."""
    setattr(response, _RAW_USAGE, usage)


def usage_in(response: Response) -> Usage:
    """The tokens that ``response`` cost; one request and no tokens where it does not say."""
    wire = response.usage
    if wire is None:
        return Usage(requests=1)
    exact: Usage | None = getattr(wire, _USAGE, None)
    if exact is not None:
        return copy.deepcopy(exact)
    told: Any = wire  # An endpoint that only resembles OpenAI's may say anything.
    return Usage(
        requests=getattr(told, _REQUESTS, 1),
        input_tokens=token_count(getattr(told, "input_tokens", None)),
        output_tokens=token_count(getattr(told, "output_tokens", None)),
        total_tokens=token_count(getattr(told, "total_tokens", None)),
        # Copies: a Usage fills gaps in what it is given, and the response is not ours.
        input_tokens_details=copy.copy(getattr(told, "input_tokens_details", None)),
        output_tokens_details=copy.copy(getattr(told, "output_tokens_details", None)),
    )


def raw_usage_of(response: Response) -> Facts | None:
    """The usage in the provider's own words, a copy; None when there is none."""
    kept = getattr(response, _RAW_USAGE, None)
    if kept is not None:
        return copy.deepcopy(kept)
    wire = response.usage
    if wire is None or getattr(wire, _USAGE, None) is not None:
        return None
    from pydantic import BaseModel

    told: Any = wire  # An endpoint that only resembles OpenAI's may say anything.
    is_model = isinstance(told, BaseModel)
    return told.model_dump(exclude_unset=True, warnings=False) if is_model else None


def event_of(kind: str, **facts: object) -> Any:
    """An event of type ``kind`` of the Responses API, not yet numbered."""
    return event_types()[kind](type=kind, sequence_number=0, **facts)


def _numbered(events: Iterator[Any]) -> Iterator[Any]:
    for number, event in enumerate(events):
        event.sequence_number = number
        yield event


def _events(reply: ModelResponse, model: str, split: Split) -> Iterator[Any]:
    for kind in ("response.created", "response.in_progress"):
        yield event_of(kind, response=_response(reply, model, opened=True))
    for index, item in enumerate(reply.output):
        began = _opening(item)
        yield event_of("response.output_item.added", item=began, output_index=index)
        where = {"item_id": _event_id(item), "output_index": index}
        yield from _PARTS[item.type](item, where, split)
        yield event_of("response.output_item.done", item=copy.deepcopy(item), output_index=index)
    yield event_of("response.completed", response=_response(reply, model))


def _response(reply: ModelResponse, model: str, *, opened: bool = False) -> Response:
    from openai.types.responses import Response

    response = Response(
        id=reply.response_id or "",
        created_at=0.0,
        model=model,
        object="response",
        output=[] if opened else copy.deepcopy(reply.output),
        parallel_tool_calls=False,
        tool_choice="none",
        tools=[],
        top_p=None,
        status="in_progress" if opened else "completed",
        usage=None if opened else _exact_usage(reply.usage),
    )
    response.id = reply.response_id  # pyright: ignore[reportAttributeAccessIssue]  None says there is none
    if reply.request_id is not None:
        mark_request(response, reply.request_id)
    if reply.raw_usage is not None and not opened:
        mark_raw_usage(response, copy.deepcopy(reply.raw_usage))
    return response


def usage_on_wire(usage: Usage) -> Any:
    """``usage`` as a Response says it, which shares the details with it."""
    from openai.types.responses import ResponseUsage

    return ResponseUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_details=usage.input_tokens_details,
        output_tokens_details=usage.output_tokens_details,
    )


def _exact_usage(usage: Usage) -> Any:
    wire = usage_on_wire(copy.deepcopy(usage))
    setattr(wire, _USAGE, copy.deepcopy(usage))
    setattr(wire, _REQUESTS, usage.requests)
    return wire


def _event_id(item: Any) -> str:
    return item.call_id if item.id is None else item.id


def _opening(item: ResponseOutputItem) -> Any:
    """The item as it is announced: in progress, with nothing in it yet."""
    blank: Facts = {"status": "in_progress"}
    if item.type == "message":
        blank["content"] = []
    elif item.type == "function_call":
        blank["arguments"] = ""
    elif item.type == "reasoning":
        blank |= {"summary": [], "encrypted_content": None}
        if item.content is not None:
            blank["content"] = []
    return copy.deepcopy(item).model_copy(update=blank)


def _message(item: Any, where: Facts, split: Split) -> Iterator[Any]:
    for index, part in enumerate(item.content):
        at = {**where, "content_index": index}
        yield event_of("response.content_part.added", part=_opening_part(part), **at)
        if part.type == "refusal":
            told = part.refusal
            yield from _told("response.refusal", told, split, at, refusal=told)
        else:
            yield from _text(part, at, split)
        yield event_of("response.content_part.done", part=copy.deepcopy(part), **at)


def _opening_part(part: Any) -> Any:
    blank: Facts = {"text": "", "annotations": [], "logprobs": []}
    if part.type == "refusal":
        blank = {"refusal": ""}
    return copy.deepcopy(part).model_copy(update=blank)


def _text(part: Any, at: Facts, split: Split) -> Iterator[Any]:
    # Which token fell into which delta is not known, so the first delta carries all of them.
    known: list[Any] = part.logprobs or []
    logprobs: list[Any] = [entry.model_dump() for entry in known]
    for number, delta in enumerate(split(part.text)):
        here = [] if number else logprobs
        yield event_of("response.output_text.delta", delta=delta, logprobs=here, **at)
    for number, annotation in enumerate(part.annotations):
        yield event_of(
            "response.output_text.annotation.added",
            annotation=annotation.model_dump(),
            annotation_index=number,
            **at,
        )
    yield event_of("response.output_text.done", text=part.text, logprobs=logprobs, **at)


def _reasoning(item: Any, where: Facts, split: Split) -> Iterator[Any]:
    for index, part in enumerate(item.summary):
        at = {**where, "summary_index": index}
        shown = {"type": "summary_text", "text": part.text}
        yield event_of("response.reasoning_summary_part.added", part={**shown, "text": ""}, **at)
        yield from _told("response.reasoning_summary_text", part.text, split, at, text=part.text)
        yield event_of("response.reasoning_summary_part.done", part=shown, **at)
    for index, part in enumerate(item.content or []):
        at = {**where, "content_index": index}
        yield from _told("response.reasoning_text", part.text, split, at, text=part.text)


def _function_call(item: Any, where: Facts, split: Split) -> Iterator[Any]:
    done = {"arguments": item.arguments, "name": item.name}
    yield from _told("response.function_call_arguments", item.arguments, split, where, **done)


def _told(kind: str, text: str, split: Split, at: Facts, /, **done: object) -> Iterator[Any]:
    """The deltas of a text, and the end of them, which says ``done``."""
    for delta in split(text):
        yield event_of(f"{kind}.delta", delta=delta, **at)
    yield event_of(f"{kind}.done", **done, **at)


def _nothing(*_: object) -> Iterator[Any]:
    return iter(())


_PARTS: dict[str, Callable[[Any, Facts, Split], Iterator[Any]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "apply_patch_call": _nothing,
}
