"""A session with a sandbox that plays a script, for tests: no process, no file, no clock.

A step names a method and says what its call comes to. The session has the methods that its script
names, and no other: a program that tests for a method sees what a real session would show.
"""

from __future__ import annotations

import copy
import inspect
import io
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any, Literal, NoReturn, TypedDict

from outlast.sandbox.base_session import BaseSandboxSession, Manifest, SandboxSessionState

SandboxMethod = Literal[
    "apply_patch", "exec", "ls", "mkdir", "mv", "pty_exec_start", "pty_write_stdin", "read", "rm",
    "same_file", "write",
]  # fmt: skip
SandboxStepReason = Literal["invalid_input", "unknown_method", "invalid_matcher", "invalid_outcome"]


class SandboxScriptError(Exception):
    """The base of what a scripted session complains about."""


class InvalidSandboxStep(SandboxScriptError):
    """A step cannot be played. Correct the step that ``input_index`` (from zero) points at."""

    def __init__(
        self, message: str, *, reason: SandboxStepReason, input_index: int, method: str | None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.input_index = input_index
        self.method = method


class SandboxCallMatcherError(SandboxScriptError):
    """The next step's ``match`` refused the call. The step is still there."""

    def __init__(self, message: str, *, call: SandboxCall, call_index: int) -> None:
        super().__init__(message)
        self.call = call
        self.call_index = call_index
        self.method = call.method


class UnexpectedSandboxCall(SandboxScriptError):
    """Another method was called than the next step names, or no step is left."""

    def __init__(
        self,
        message: str,
        *,
        call: SandboxCall,
        call_index: int,
        expected_method: str | None,
        remaining_steps: int,
    ) -> None:
        super().__init__(message)
        self.call = call
        self.call_index = call_index
        self.actual_method = call.method
        self.expected_method = expected_method
        self.remaining_steps = remaining_steps


class UnconsumedSandboxSteps(SandboxScriptError):
    """The script has steps that no call has asked for."""

    def __init__(
        self, message: str, *, remaining_steps: int, pending_methods: tuple[str, ...]
    ) -> None:
        super().__init__(message)
        self.remaining_steps = remaining_steps
        self.pending_methods = pending_methods


@dataclass(frozen=True)
class SandboxCall:
    """One call of a scripted session, as it was when it was made. Defaults are in ``kwargs``."""

    call_index: int
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def detached(self) -> SandboxCall:
        """A copy that shares nothing."""
        return SandboxCall(
            self.call_index,
            self.method,
            _snapshot(self.args),
            MappingProxyType({name: _snapshot(value) for name, value in self.kwargs.items()}),
        )


class SandboxStepSpec(TypedDict, total=False):
    """A step: a method, and one of ``result``, ``responder`` and ``error``.

    ``match`` may refuse a call by answering False. A ``responder`` may be async.
    """

    method: SandboxMethod
    match: Callable[[SandboxCall], bool]
    result: Any
    responder: Callable[[SandboxCall], Any | Awaitable[Any]]
    error: Exception


class ScriptedSandboxSession(BaseSandboxSession):
    """What `scripted_sandbox_session` gives."""

    @property
    @abstractmethod
    def calls(self) -> tuple[SandboxCall, ...]:
        """Every call so far, oldest first; copies, so that changing one changes nothing here."""

    @property
    @abstractmethod
    def remaining_steps(self) -> int:
        """How many steps no call has taken yet."""

    @abstractmethod
    def assert_complete(self) -> None:
        """Check that the script has been played to its end.

        Raises:
            UnconsumedSandboxSteps: Steps are left.
        """


def scripted_sandbox_session(
    steps: Iterable[SandboxStepSpec | Mapping[str, Any]] = (), *, manifest: Manifest | None = None
) -> ScriptedSandboxSession:
    """A session that answers each call with the next step of a script, and remembers every call.

    Args:
        steps: The script. Results are copied now, so that a later change does not reach into it.
        manifest: What the session says of its workspace; a copy is kept.

    Raises:
        InvalidSandboxStep: A step cannot be played.
    """
    checked = [_checked(step, index) for index, step in enumerate(steps)]
    state = SandboxSessionState(
        type="scripted", manifest=copy.deepcopy(manifest) if manifest else Manifest()
    )
    return _Session(state, checked)


_METHODS: tuple[str, ...] = SandboxMethod.__args__
_TERMINAL = frozenset({"pty_exec_start", "pty_write_stdin"})
"""Methods of which a session has both or neither."""
_NEVER_THERE = frozenset({"hydrate_workspace", "persist_workspace", "pty_terminate_all"})
_SIGNATURES = {name: inspect.signature(getattr(BaseSandboxSession, name)) for name in _METHODS}


_Outcome = Literal["result", "responder", "error"]


@dataclass(frozen=True)
class _Step:
    method: str
    match: Callable[[SandboxCall], object] | None
    outcome: _Outcome
    value: Any


class _Session(ScriptedSandboxSession):
    def __init__(self, state: SandboxSessionState, steps: list[_Step]) -> None:
        self.state = state
        self._steps = deque(steps)
        self._calls: list[SandboxCall] = []
        self._is_running = False
        methods = {step.method for step in steps}
        self._methods = methods | _TERMINAL if methods & _TERMINAL else methods

    def __getattribute__(self, name: str) -> Any:
        if name in _NEVER_THERE or (name in _METHODS and name not in self._methods):
            raise AttributeError(name)
        return super().__getattribute__(name)

    def __dir__(self) -> list[str]:
        hidden = {*_METHODS, *_NEVER_THERE} - self._methods
        return [name for name in super().__dir__() if name not in hidden]

    @property
    def calls(self) -> tuple[SandboxCall, ...]:
        return tuple(call.detached() for call in self._calls)

    @property
    def remaining_steps(self) -> int:
        return len(self._steps)

    def assert_complete(self) -> None:
        if self._steps:
            raise UnconsumedSandboxSteps(
                f"{len(self._steps)} scripted step(s) of the sandbox were not asked for.",
                remaining_steps=len(self._steps),
                pending_methods=tuple(step.method for step in self._steps),
            )

    def supports_pty(self) -> bool:
        return bool(self._methods & _TERMINAL)

    async def running(self) -> bool:
        return self._is_running

    async def start(self) -> None:
        self._is_running = True

    async def stop(self) -> None:
        self._is_running = False

    async def read(self, *args: Any, **kwargs: Any) -> IO[Any]:
        return await self._played("read", args, kwargs)

    async def write(self, *args: Any, **kwargs: Any) -> None:
        return await self._played("write", args, kwargs)

    async def persist_workspace(self) -> NoReturn:
        raise AttributeError("persist_workspace")  # Hidden, as its name is never found.

    async def hydrate_workspace(self, data: IO[bytes]) -> NoReturn:
        del data
        raise AttributeError("hydrate_workspace")

    async def _played(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = _SIGNATURES[method].bind(self, *args, **kwargs)
        bound.apply_defaults()
        call = SandboxCall(
            len(self._calls), method, bound.args[1:], MappingProxyType(bound.kwargs)
        ).detached()
        self._calls.append(call)
        step = self._next_step(call)
        self._steps.popleft()
        if step.outcome == "error":
            raise step.value
        if step.outcome == "result":
            return step.value
        answer = step.value(call.detached())
        return await answer if inspect.isawaitable(answer) else answer

    def _next_step(self, call: SandboxCall) -> _Step:
        step = self._steps[0] if self._steps else None
        place = f"{call.method} call #{call.call_index + 1}"
        if step is None or step.method != call.method:
            why = f"expected {step.method}" if step else "no scripted steps remain"
            raise UnexpectedSandboxCall(
                f"Unexpected sandbox {place}: {why}.",
                call=call.detached(),
                call_index=call.call_index,
                expected_method=step.method if step else None,
                remaining_steps=len(self._steps),
            )
        if step.match is not None and step.match(call.detached()) is False:
            raise SandboxCallMatcherError(
                f"The script's matcher refused sandbox {place}.",
                call=call.detached(),
                call_index=call.call_index,
            )
        return step


def _scripted(method: str) -> Any:
    async def play(self: _Session, *args: Any, **kwargs: Any) -> Any:
        return await self._played(method, args, kwargs)  # pyright: ignore[reportPrivateUsage]  a method of it

    play.__name__, play.__qualname__ = method, f"{_Session.__qualname__}.{method}"
    return play


for _name in _METHODS:
    setattr(_Session, _name, _scripted(_name))


def _snapshot(value: Any) -> Any:
    """A copy that shares nothing, streams in memory with their position too."""
    if isinstance(value, io.IOBase):
        return _copied_stream(value)
    if type(value) in (list, tuple):
        return type(value)(_snapshot(each) for each in value)
    if type(value) is dict:
        pairs: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]  a call's own argument
        return {_snapshot(key): _snapshot(each) for key, each in pairs.items()}
    return copy.deepcopy(value)


def _copied_stream(stream: Any) -> Any:
    if not isinstance(stream, io.BytesIO | io.StringIO):
        raise TypeError(
            f"Scripted sandboxes copy streams, and support only io.BytesIO and io.StringIO, not "
            f"{type(stream).__name__}. Put the content into one of these."
        )
    if stream.closed:
        raise TypeError("A closed stream cannot be copied. Give the scripted sandbox an open one.")
    copied: Any
    if isinstance(stream, io.BytesIO):
        copied = io.BytesIO(stream.getvalue())
    else:
        copied = io.StringIO(stream.getvalue(), newline="")
    copied.seek(stream.tell())
    return copied


_OUTCOMES: tuple[_Outcome, ...] = ("result", "responder", "error")


def _checked(step: Any, index: int) -> _Step:
    """A step that can be played, in a copy.

    Raises:
        InvalidSandboxStep: It cannot.
    """
    if not isinstance(step, Mapping):
        _refuse(
            "invalid_input", index, None, f"is of type {type(step).__name__}; expected a mapping"
        )
    spec: dict[str, Any] = dict(step)  # pyright: ignore[reportUnknownArgumentType]  a test's own mapping
    name = spec.get("method")
    method = name if isinstance(name, str) else None
    if unknown := sorted(map(str, spec.keys() - {"method", "match", *_OUTCOMES})):
        _refuse(
            "invalid_input", index, method, f"has fields that no step has: {', '.join(unknown)}"
        )
    if method not in _METHODS:
        _refuse("unknown_method", index, method, f"names none of {', '.join(_METHODS)}")
    match = spec.get("match")
    if match is not None and not _is_function(match):
        _refuse("invalid_matcher", index, method, "needs a function as its match")
    kinds: list[_Outcome] = [each for each in _OUTCOMES if each in spec]
    if len(kinds) != 1:
        _refuse("invalid_outcome", index, method, "needs one of result, responder and error")
    return _Step(method, match, kinds[0], _outcome(kinds[0], spec[kinds[0]], index, method))


def _outcome(kind: str, value: Any, index: int, method: str) -> Any:
    if kind == "error" and not isinstance(value, Exception):
        _refuse("invalid_outcome", index, method, "needs an Exception as its error")
    if kind == "responder" and not _is_function(value):
        _refuse("invalid_outcome", index, method, "needs a function as its responder")
    if kind != "result":
        return value
    try:
        return _snapshot(value)
    except Exception as error:  # noqa: BLE001  # a result of the user's may fail to be copied in any way
        problem = f"has a result that cannot be copied ({type(error).__name__})"
        _refuse("invalid_outcome", index, method, problem, error)


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, io.IOBase)  # A stream with a __call__ is data.


def _refuse(
    reason: SandboxStepReason, index: int, method: str | None, problem: str,
    cause: Exception | None = None,
) -> NoReturn:  # fmt: skip
    name = f" for {method}" if method in _METHODS else ""
    raise InvalidSandboxStep(
        f"Scripted sandbox step #{index + 1}{name} {problem}.",
        reason=reason,
        input_index=index,
        method=method,
    ) from cause
