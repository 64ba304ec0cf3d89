"""Handing the conversation to another agent, which the model does by calling a tool."""

from __future__ import annotations

import dataclasses
import inspect
import json
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypedDict, overload

from typing_extensions import TypeVar, Unpack

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions.annotations import for_pydantic
from outlast.definitions.arguments import json_value, validated
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper, TContext
from outlast.definitions.given import check_function, check_switch, check_text
from outlast.definitions.names import function_name
from outlast.definitions.strict_schema import ensure_strict_json_schema

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from outlast.definitions.openai_types import TResponseInputItem
    from outlast.definitions.run_items import RunItem


class Named(Protocol):
    """What a handoff needs to know of an agent."""

    name: str
    handoff_description: str | None


TAgent = TypeVar("TAgent", bound=Named, default=Any)
THandoffInput = TypeVar("THandoffInput", default=Any)

OnHandoffWithInput: TypeAlias = Callable[[RunContextWrapper, THandoffInput], Any]
OnHandoffWithoutInput: TypeAlias = Callable[[RunContextWrapper], Any]


@dataclass(frozen=True)
class HandoffInputData:
    """The conversation as the next agent would get it."""

    input_history: str | tuple[TResponseInputItem, ...]
    """The run's input."""
    pre_handoff_items: tuple[RunItem, ...]
    """What the run had added before the turn that hands off."""
    new_items: tuple[RunItem, ...]
    """What that turn added, the handoff's own call and output included."""
    run_context: RunContextWrapper | None = None
    input_items: tuple[RunItem, ...] | None = None
    """What the model gets instead of `new_items`, which then only the caller and the session see."""

    held: ClassVar[tuple[tuple[int, Any], ...]] = ()
    """Which items stand in `input_history` word for word, and as what; see `held_positions`.

    Not a field: somebody who builds the data anew says nothing about it.
    """

    def clone(self, **kwargs: object) -> HandoffInputData:
        """The same with some fields replaced."""
        return self.holding(self.held, **kwargs)

    def holding(self, held: tuple[tuple[int, Any], ...], **kwargs: object) -> HandoffInputData:
        """The same with some fields replaced, and with other items held."""
        made = dataclasses.replace(self, **kwargs)
        made.__dict__["held"] = held
        return made


HandoffInputFilter: TypeAlias = Callable[
    [HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]
]
HandoffHistoryMapper: TypeAlias = Callable[["list[TResponseInputItem]"], "list[TResponseInputItem]"]


@dataclass
class Handoff(Generic[TContext, TAgent]):
    """A tool whose call hands the conversation to an agent."""

    tool_name: str
    tool_description: str
    input_json_schema: dict[str, Any]
    """What the model has to say with it; an object without properties if nothing."""
    on_invoke_handoff: Callable[[RunContextWrapper, str], Awaitable[TAgent]]
    """Called with the context and the arguments' JSON; returns the next agent."""
    agent_name: str
    input_filter: HandoffInputFilter | None = None
    """Changes what the next agent sees of the conversation."""
    nest_handoff_history: bool | None = None
    """Whether the next agent gets a summary instead of the history; None: as the run says."""
    strict_json_schema: bool = True
    is_enabled: bool | Callable[[RunContextWrapper, Any], bool | Awaitable[bool]] = True
    """Whether the model is offered the handoff; a function is asked every turn."""
    _agent_ref: weakref.ref[Any] | None = field(default=None, init=False, repr=False)
    """The agent, where `handoff()` knows it. Weak, for agents may hand off in circles."""

    def __post_init__(self) -> None:
        check_switch(f"is_enabled of handoff {self.tool_name!r}", self.is_enabled)

    @property
    def target(self) -> Any | None:
        """The agent that it leads to, if that is known before the handoff happens."""
        return None if self._agent_ref is None else self._agent_ref()

    def lead_to(self, agent: object) -> None:
        """Say which agent it leads to."""
        self._agent_ref = weakref.ref(agent)

    def get_transfer_message(self, agent: Named) -> str:
        """What the model is told when the conversation has gone over."""
        return json.dumps({"assistant": agent.name})

    @classmethod
    def default_tool_name(cls, agent: Named) -> str:
        """The name of a handoff to an agent."""
        return function_name(f"transfer_to_{agent.name}", spaces_are_fine=True)

    @classmethod
    def default_tool_description(cls, agent: Named) -> str:
        """What the model is told about a handoff to an agent."""
        about = agent.handoff_description or ""
        return f"Handoff to the {agent.name} agent to handle the request. {about}"


class HandoffOptions(TypedDict, total=False):
    """The keywords of `handoff` that go with every way to call it."""

    tool_name_override: str | None
    tool_description_override: str | None
    input_filter: HandoffInputFilter | None
    nest_handoff_history: bool | None
    is_enabled: bool | Callable[[RunContextWrapper, Any], Any]


@overload
def handoff(
    agent: TAgent,
    *,
    on_handoff: OnHandoffWithoutInput | None = None,
    **options: Unpack[HandoffOptions],
) -> Handoff[Any, TAgent]: ...
@overload
def handoff(
    agent: TAgent,
    *,
    on_handoff: OnHandoffWithInput[THandoffInput],
    input_type: type[THandoffInput],
    **options: Unpack[HandoffOptions],
) -> Handoff[Any, TAgent]: ...
def handoff(  # noqa: PLR0913 (upstream's signature)
    agent: TAgent,
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    on_handoff: Callable[..., Any] | None = None,
    input_type: type[Any] | None = None,
    input_filter: HandoffInputFilter | None = None,
    nest_handoff_history: bool | None = None,
    is_enabled: bool | Callable[[RunContextWrapper, Any], Any] = True,
) -> Handoff[Any, TAgent]:
    """A handoff to an agent.

    Args:
        agent: The agent that takes over.
        tool_name_override: What the model calls it.
        tool_description_override: What the model is told about it.
        on_handoff: Called when it happens: with the context, and with the input if there is one.
        input_type: What the model has to say with it: a pydantic model or another type.
        input_filter: Changes what the next agent sees of the conversation.
        nest_handoff_history: Whether the next agent gets a summary instead of the history.
        is_enabled: Whether the model is offered it; a function is asked every turn.

    Raises:
        UserError: `on_handoff` does not take what it would be given, or there is an `input_type` but
            nothing that takes the input.
    """
    if not isinstance(getattr(agent, "name", None), str):
        raise UserError(
            f"handoff() takes the agent itself, and got an object of type {type(agent).__name__}."
        )
    check_text("tool_name_override of handoff()", tool_name_override)
    check_text("tool_description_override of handoff()", tool_description_override)
    check_function("input_filter of handoff()", input_filter)
    _check(on_handoff, input_type)
    schema, adapter = _schema_of(input_type)

    async def invoke(context: RunContextWrapper, arguments: str | None = None) -> TAgent:
        given = (context,) if adapter is None else (context, _parsed(arguments, adapter))
        if on_handoff is not None:
            await awaited(on_handoff(*given))
        return agent

    made: Handoff[Any, TAgent] = Handoff(
        tool_name=tool_name_override or Handoff.default_tool_name(agent),
        tool_description=tool_description_override or Handoff.default_tool_description(agent),
        input_json_schema=schema,
        on_invoke_handoff=invoke,
        agent_name=agent.name,
        input_filter=input_filter,
        nest_handoff_history=nest_handoff_history,
        is_enabled=is_enabled,
    )
    made.lead_to(agent)
    return made


def handoff_target(handoff: Handoff) -> Any | None:
    """The agent that a handoff leads to, if it is known before the handoff happens."""
    return handoff.target


def _check(on_handoff: Callable[..., Any] | None, input_type: type[Any] | None) -> None:
    if on_handoff is None:
        if input_type is not None:
            raise UserError("You must provide on_handoff when input_type is provided")
        return
    if not callable(on_handoff):
        raise UserError(f"on_handoff must be callable, got {type(on_handoff).__name__}")
    count = len(inspect.signature(on_handoff).parameters)
    if input_type is not None and count != 2:  # noqa: PLR2004 (the two that the text names)
        raise UserError("on_handoff must take two arguments: context and input")
    if input_type is None and count != 1:
        raise UserError("on_handoff must take one argument: context")


def _schema_of(input_type: type[Any] | None) -> tuple[dict[str, Any], TypeAdapter[Any] | None]:
    if input_type is None:
        return ensure_strict_json_schema({}), None
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(for_pydantic(input_type))
    return ensure_strict_json_schema(adapter.json_schema()), adapter


def _parsed(arguments: str | None, adapter: TypeAdapter[Any]) -> Any:
    from pydantic import ValidationError

    if arguments is None:
        raise ModelBehaviorError("Handoff function expected non-null input, but got None")
    try:
        return adapter.validate_json(arguments, strict=True)
    except ValidationError:
        pass  # Looked at again, more slowly.
    return validated(
        "Invalid JSON when parsing model output",
        json_value("Invalid JSON when parsing model output", arguments),
        lambda data: adapter.validate_json(json.dumps(data), strict=True),
    )


RECOMMENDED_PROMPT_PREFIX = (
    "# System context\n"
    "You are one of several agents that work together on one conversation. An agent has"
    " instructions and tools, and passes the conversation on when another agent is better suited."
    " It does so by calling a handoff function, whose name usually is"
    " `transfer_to_<agent_name>`. The user does not see handoffs: do not mention them and do not"
    " announce them.\n"
)


def prompt_with_handoff_instructions(prompt: str) -> str:
    """Instructions that begin with what an agent has to know about handoffs."""
    return f"{RECOMMENDED_PROMPT_PREFIX}\n\n{prompt}"
