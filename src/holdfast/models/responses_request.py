"""One call of the Responses API: from what a caller asks to the arguments of the request.

HTTP and websocket send the same. Nothing that is passed in is changed.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from holdfast.models.endpoint import Request, arguments_of
from holdfast.models.fake_id import FAKE_RESPONSES_ID
from holdfast.models.responses_tools import ConvertedTools, Converter

if TYPE_CHECKING:
    from holdfast.definitions.settings import ModelSettings

HEADERS_OVERRIDE: ContextVar[dict[str, str] | None] = ContextVar("holdfast_headers", default=None)
"""Headers that win over all others for the calls made in this context."""


def arguments(request: Request, model: str | None, *, stream: bool = False) -> dict[str, Any]:
    """What `responses.create` is called with; `openai.omit` stands for what is not sent.

    Args:
        request: What the caller asks.
        model: The model that is named; None where the provider's prompt names it.
        stream: Whether the answer is to come as events.

    Raises:
        TypeError: `extra_args` names an argument that is set elsewhere too.
        UserError: The tools or the tool choice cannot be sent.
    """
    settings, prompt = request.settings, request.prompt
    tools = Converter.convert_tools(
        request.tools,
        request.handoffs,
        allow_opaque_tool_search_surface=prompt is not None,
        model=model,
        tool_choice=settings.tool_choice,
    )
    may_call = tools.tools or prompt is not None
    given: dict[str, Any] = {
        "previous_response_id": request.previous_response_id,
        "conversation": request.conversation_id,
        "instructions": request.instructions,
        "model": model,
        "input": clean_input(request.input),
        "include": _includes(tools, settings),
        "tools": tools.tools or (None if prompt is not None else []),
        "prompt": prompt,
        "truncation": settings.truncation,
        "max_output_tokens": settings.max_tokens,
        "tool_choice": Converter.convert_tool_choice(
            settings.tool_choice, tools=request.tools, handoffs=request.handoffs, model=model
        ),
        "parallel_tool_calls": settings.parallel_tool_calls if may_call else None,
        "stream": True if stream else None,
        "text": _text(request),
        "store": settings.store,
        "reasoning": settings.reasoning,
        "context_management": settings.context_management,
    }
    return arguments_of("responses.create", given, settings, HEADERS_OVERRIDE.get())


def clean_input(given: str | list[Any]) -> list[Any]:
    """An input as the Responses API takes it: without ids and fields that came from elsewhere."""
    if isinstance(given, str):
        return [{"content": given, "role": "user"}]
    items: list[dict[str, Any]] = [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in given
    ]
    # Another provider's reasoning means nothing to OpenAI, and its signature would be refused.
    kept = (i for i in items if not (i.get("type") == "reasoning" and i.get("provider_data")))
    return [_clean_item(item) for item in kept]


def _clean_item(item: dict[str, Any]) -> dict[str, Any]:
    foreign = {"provider_data"} | ({"id"} if item.get("id") == FAKE_RESPONSES_ID else set[str]())
    if foreign.isdisjoint(item):
        return item
    return {name: value for name, value in item.items() if name not in foreign}


def _includes(tools: ConvertedTools, settings: ModelSettings) -> list[str]:
    logprobs = [] if settings.top_logprobs is None else ["message.output_text.logprobs"]
    return sorted({*tools.includes, *(settings.response_include or ()), *logprobs})


def _text(request: Request) -> Any:
    from openai import omit

    wanted = Converter.get_response_format(request.schema)
    verbosity = request.settings.verbosity
    if verbosity is None:
        return wanted
    return {"verbosity": verbosity} if wanted is omit else {**wanted, "verbosity": verbosity}
