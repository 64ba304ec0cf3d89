"""Computers that a model may drive, and the tool that offers one to it.

Which computer a run uses is kept on the run's context wrapper: a factory is asked once per run, and
what it made is disposed of when the run ends.
"""

from __future__ import annotations

import copy
import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, cast

from typing_extensions import TypeVar

from outlast.core.errors import UserError
from outlast.definitions import debug
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.logger import logger
from outlast.definitions.tool_callers import CustomDataExtractor

if TYPE_CHECKING:
    from openai.types.responses import ResponseComputerToolCall
    from openai.types.responses.response_computer_tool_call import PendingSafetyCheck

Environment = Literal["mac", "windows", "ubuntu", "browser"] | None
Button = Literal["left", "right", "wheel", "back", "forward"]


class _Screen:
    @property
    def environment(self) -> Environment:
        """The kind of system; only the preview models ask."""
        return None

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height of the screen; only the preview models ask."""
        return None


class Computer(_Screen, ABC):
    """A computer with a blocking driver. Coordinates are pixels from the top left."""

    @abstractmethod
    def screenshot(self) -> str:
        """The screen as a PNG, base64 encoded, without a data prefix."""

    @abstractmethod
    def click(self, x: int, y: int, button: Button) -> None:
        """Press and release ``button`` at a place."""

    @abstractmethod
    def double_click(self, x: int, y: int) -> None:
        """Click twice with the left button."""

    @abstractmethod
    def scroll(self, x: int, y: int, scroll_x: int, scroll_y: int) -> None:
        """Turn the wheel at a place, by so many pixels; down and right are positive."""

    @abstractmethod
    def type(self, text: str) -> None:
        """Type ``text``."""

    @abstractmethod
    def wait(self) -> None:
        """Let the screen settle, for a second or so."""

    @abstractmethod
    def move(self, x: int, y: int) -> None:
        """Move the pointer, without a button."""

    @abstractmethod
    def keypress(self, keys: list[str]) -> None:
        """Press ``keys`` together, and release them."""

    @abstractmethod
    def drag(self, path: list[tuple[int, int]]) -> None:
        """Move the pointer along ``path`` with the left button down."""


class AsyncComputer(_Screen, ABC):
    """A computer with an async driver. Coordinates are pixels from the top left."""

    @abstractmethod
    async def screenshot(self) -> str:
        """The screen as a PNG, base64 encoded, without a data prefix."""

    @abstractmethod
    async def click(self, x: int, y: int, button: Button) -> None:
        """Press and release ``button`` at a place."""

    @abstractmethod
    async def double_click(self, x: int, y: int) -> None:
        """Click twice with the left button."""

    @abstractmethod
    async def scroll(self, x: int, y: int, scroll_x: int, scroll_y: int) -> None:
        """Turn the wheel at a place, by so many pixels; down and right are positive."""

    @abstractmethod
    async def type(self, text: str) -> None:
        """Type ``text``."""

    @abstractmethod
    async def wait(self) -> None:
        """Let the screen settle, for a second or so."""

    @abstractmethod
    async def move(self, x: int, y: int) -> None:
        """Move the pointer, without a button."""

    @abstractmethod
    async def keypress(self, keys: list[str]) -> None:
        """Press ``keys`` together, and release them."""

    @abstractmethod
    async def drag(self, path: list[tuple[int, int]]) -> None:
        """Move the pointer along ``path`` with the left button down."""


ComputerLike = Computer | AsyncComputer
ComputerT = TypeVar("ComputerT", bound=Any, default=Any)
ComputerT_co = TypeVar("ComputerT_co", bound=Any, covariant=True)
ComputerT_contra = TypeVar("ComputerT_contra", bound=Any, contravariant=True)


class ComputerCreate(Protocol[ComputerT_co]):
    """Makes the computer of a run."""

    def __call__(
        self, *, run_context: RunContextWrapper
    ) -> Awaitable[ComputerT_co] | ComputerT_co: ...


class ComputerDispose(Protocol[ComputerT_contra]):
    """Gives a run's computer back."""

    def __call__(
        self, *, run_context: RunContextWrapper, computer: ComputerT_contra
    ) -> Awaitable[None] | None: ...


@dataclass
class ComputerProvider(Generic[ComputerT]):
    """Makes a computer for each run, and disposes of it when the run ends."""

    create: ComputerCreate[ComputerT]
    dispose: ComputerDispose[ComputerT] | None = None


ComputerConfig = Computer | AsyncComputer | ComputerCreate[Any] | ComputerProvider


@dataclass
class ComputerToolSafetyCheckData:
    """A safety check of the provider that waits for an answer before the computer is touched."""

    ctx_wrapper: RunContextWrapper
    agent: Any
    tool_call: ResponseComputerToolCall
    safety_check: PendingSafetyCheck


@dataclass(frozen=True)
class ComputerToolCustomDataContext:
    """What `ComputerTool.custom_data_extractor` gets to see of a finished call."""

    run_context: RunContextWrapper
    tool: ComputerTool
    tool_call: ResponseComputerToolCall
    output: str
    raw_item: Any


ComputerToolCustomDataExtractor = CustomDataExtractor[ComputerToolCustomDataContext]


@dataclass(eq=False)
class ComputerTool(Generic[ComputerT]):
    """Offers a computer to the model."""

    name: ClassVar[str] = "computer_use_preview"
    """What tool choices and traces of preview models call it, for every model."""
    trace_name: ClassVar[str] = "computer"
    """What spans call it."""

    computer: ComputerT | ComputerCreate[ComputerT] | ComputerProvider[ComputerT]
    on_safety_check: Callable[[ComputerToolSafetyCheckData], Awaitable[bool] | bool] | None = None
    """Whether to go on in spite of a safety check. Without it, checks are not acknowledged."""
    _: KW_ONLY
    custom_data_extractor: ComputerToolCustomDataExtractor | None = None
    _source: ComputerProvider | None = field(default=None, init=False, repr=False)
    """Where `computer` comes from; None where it is the computer."""

    def __post_init__(self) -> None:
        given: Any = self.computer
        if isinstance(given, ComputerProvider):
            self._source = cast("ComputerProvider", given)
        elif callable(given) and not isinstance(given, Computer | AsyncComputer):
            self._source = ComputerProvider(given)

    @property
    def makes_computer(self) -> bool:
        """Whether each run gets a computer of its own."""
        return self._source is not None

    def holding(self, computer: ComputerLike) -> ComputerTool:
        """A copy for one run, which has that run's computer."""
        twin: ComputerTool = copy.copy(self)
        twin.computer, twin._source = cast("Any", computer), None
        return twin

    async def make(self, run_context: RunContextWrapper) -> ComputerLike:
        """A new computer for the run, or the one that it was given.

        Raises:
            UserError: What the factory made is no computer.
        """
        source = self._source
        if source is None:
            return cast("ComputerLike", self.computer)  # Not a factory: `__post_init__`.
        made: Any = await awaited(source.create(run_context=run_context))
        if not isinstance(made, Computer | AsyncComputer):
            raise UserError(
                f"The factory of a ComputerTool returned a {type(made).__name__}, which is neither "
                "a Computer nor an AsyncComputer."
            )
        self.computer = cast("Any", made)
        return made

    async def dispose(self, run_context: RunContextWrapper, computer: ComputerLike) -> None:
        """Give back what `make` made."""
        source = self._source
        if source is not None and source.dispose is not None:
            await awaited(source.dispose(run_context=run_context, computer=computer))


# The computers of each run, by tool. Weak: a context that is dropped takes its entry along.
_Resolved = dict[int, tuple[ComputerTool, ComputerLike]]
_RESOLVED: weakref.WeakKeyDictionary[RunContextWrapper, _Resolved] = weakref.WeakKeyDictionary()


async def resolve_computer(*, tool: ComputerTool, run_context: RunContextWrapper) -> ComputerLike:
    """The computer of ``tool`` in the run of ``run_context``; made when it is first asked for."""
    if not tool.makes_computer:
        return await tool.make(run_context)
    resolved = _RESOLVED.setdefault(run_context, {})
    entry = resolved.get(id(tool))
    if entry is None:
        entry = resolved[id(tool)] = (tool, await tool.make(run_context))
    tool.computer = entry[1]
    return entry[1]


async def dispose_resolved_computers(*, run_context: RunContextWrapper) -> None:
    """Give back every computer that was made for a run. A failure is logged, not raised."""
    for tool, computer in _RESOLVED.pop(run_context, {}).values():
        try:
            await tool.dispose(run_context, computer)
        except Exception as error:  # noqa: BLE001 (a user's callback at the very end of a run)
            detail = "" if debug.DONT_LOG_TOOL_DATA else f": {error}"
            logger.warning("Failed to dispose computer for run context%s", detail)
