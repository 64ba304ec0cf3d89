"""Prompts that the provider keeps, referred to by id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, cast

from typing_extensions import TypedDict

from outlast.core.errors import UserError
from outlast.definitions.calling import awaited

if TYPE_CHECKING:
    from openai.types.responses.response_prompt_param import ResponsePromptParam

    from outlast.definitions.context import RunContextWrapper


class Prompt(TypedDict):
    """Which prompt, and what to put into it."""

    id: str
    version: NotRequired[str]
    variables: NotRequired[dict[str, Any]]


@dataclass
class GenerateDynamicPromptData:
    """What a function that chooses a prompt is told."""

    context: RunContextWrapper
    agent: Any


DynamicPromptFunction: TypeAlias = Callable[[GenerateDynamicPromptData], Prompt | Awaitable[Prompt]]


async def resolved_prompt(
    prompt: Prompt | DynamicPromptFunction | None, context: RunContextWrapper, agent: object
) -> ResponsePromptParam | None:
    """An agent's prompt in the form that the API takes.

    Raises:
        UserError: A function returned something else than a prompt.
    """
    if prompt is None:
        return None
    found: Any = prompt
    if not isinstance(prompt, dict):
        found = await awaited(prompt(GenerateDynamicPromptData(context=context, agent=agent)))
    if not isinstance(found, dict):
        raise UserError(
            f"Dynamic prompt function must return a Prompt, a dict with an `id`; got {type(found).__name__}"
        )
    if "id" not in found:
        raise UserError("A Prompt needs an `id`: the prompt's id at the provider")
    fields = cast("dict[str, Any]", found)
    made = {name: fields.get(name) for name in ("id", "version", "variables")}
    return cast("ResponsePromptParam", made)


class PromptUtil:
    """Upstream's place for `resolved_prompt`."""

    to_model_input = staticmethod(resolved_prompt)
