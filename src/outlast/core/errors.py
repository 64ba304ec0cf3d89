"""Every error that Outlast raises on purpose: one family, rooted in `AgentsException`."""

from __future__ import annotations

from typing import Any, Self, cast

from outlast.core.carried import carried, copied
from outlast.core.run_data import RunErrorDetails


class AgentsException(Exception):
    """The base of all of Outlast's errors."""

    run_data: RunErrorDetails | None

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.run_data = None

    def __reduce__(self) -> tuple[Any, ...]:
        return carried(self)

    def __copy__(self) -> Self:
        return copied(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return copied(self, memo)


class PlainError(AgentsException):
    """An error whose only fact is its text."""

    message: str

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class MaxTurnsExceeded(PlainError):
    """The run wanted another turn than its `max_turns` allow. Raise the limit and resume it."""


class ModelBehaviorError(PlainError):
    """The model answered something that it should not: an unknown tool, malformed JSON, nothing."""

    code: str | None = None
    """The provider's name for what went wrong, if it has one."""
    explanation: str | None = None
    """What the model may be told of its mistake, without a word of what it said."""


class UserError(PlainError):
    """The library is used in a way that cannot work; the text says what to change."""


class WrongType(UserError, TypeError):
    """An argument is of another type than it has to be."""


class WrongValue(UserError, ValueError):
    """An argument is of the right type, and out of range."""


class WrongPlace(UserError, RuntimeError):
    """Something is called where no event loop runs, or where one does."""


class MCPToolCancellationError(PlainError):
    """An MCP server cancelled a tool call on its own."""


class ModelRefusalError(AgentsException):
    """The model refused to answer."""

    refusal: str

    def __init__(self, refusal: str) -> None:
        self.refusal = refusal
        super().__init__(f"Model refused to produce output: {refusal}")


class ModelTimeoutError(AgentsException):
    """One attempt of a model call took longer than `ModelSettings.timeout`."""

    timeout_seconds: float

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        super().__init__(f"Model call timed out after {timeout_seconds:g} seconds.")


# --- What goes wrong between a program and its model's endpoint. ------------------------------


class ModelRequestError(PlainError):
    """A request to a model's provider failed.

    Its text names a host, a status, a code and a request id; nothing that was sent or answered.
    Where the `openai` library has a class for the failure (`openai.RateLimitError`, …), what is
    raised is an instance of that too, with its attributes, so that both can be caught.
    """

    __cause__: BaseException | None
    status: int | None = None
    """The HTTP status; None without an answer."""
    retry_after: float | None = None
    """In how many seconds the provider wants to be asked again, if it says so."""


class ModelAuthError(ModelRequestError):
    """The provider does not know the key (401), or the key may not do this (403)."""


class ModelRateLimited(ModelRequestError):
    """The provider wants to be asked less often (429). See `retry_after`."""


class ModelUnavailable(ModelRequestError):
    """The provider cannot be reached, or failed on its own side (5xx). Ask again later."""


class ModelRedirected(ModelRequestError):
    """The endpoint answered with a redirect (3xx), which is not followed. Correct the base URL."""


class ModelDeadlineExceeded(ModelTimeoutError, ModelRequestError):
    """A model call ran into a limit of `ModelLimits`; `limit` is the limit's name there.

    ``timeout_seconds`` is what the limit was. The limit `client` is a timeout of the caller's own
    HTTP client, which came first.
    """

    limit: str

    def __init__(self, limit: str, timeout_seconds: float) -> None:
        ModelTimeoutError.__init__(self, timeout_seconds)
        self.limit = limit
        self.message = _too_late(limit, f"{timeout_seconds:g} seconds")
        self.args = (self.message,)


_LATE = {
    "connect": "could not be connected to",
    "first_byte": "did not begin to answer",
    "idle": "sent nothing, in the middle of its answer,",
    "thinking": "sent nothing",
    "total": "was not done, with all attempts,",
}


def _too_late(limit: str, within: str) -> str:
    if limit not in _LATE:
        return (
            f"The HTTP client gave the model's endpoint up after {within}. Check the network and the "
            "base URL, or raise the client's timeout."
        )
    return (
        f"The model's endpoint {_LATE[limit]} within {within}. Run it again, or raise "
        f"RunConfig(model_limits=ModelLimits({limit}=...))."
    )


class ModelReplyMalformed(ModelBehaviorError):
    """What the endpoint answered cannot be read: not JSON, cut off, or not of the API's shape."""


class ModelAnswerFailed(ModelBehaviorError):
    """The provider gave its answer up: it ended in an error of its own, or has nothing in it.

    The call is made again as often as `ModelSettings.retry` says.
    """


class ModelStreamTruncated(ModelBehaviorError):
    """A model's stream ended before the event that ends it. What came of it may be incomplete."""


class ModelResponseTooLarge(ModelBehaviorError):
    """An answer is larger than `ModelLimits.response_bytes`, decompressed."""


class TooManyToolCalls(ModelBehaviorError):
    """One reply asks for more tool calls than `ModelLimits.tool_calls`. None of them was run."""


class ModelLoopDetected(ModelBehaviorError):
    """The model asks for the same call again and again and is told the same each time."""


class _NotAsked(AgentsException):
    """A model was not asked, and cost nothing."""

    why = ""
    model: str
    retry_at: float
    """When it may be asked again, in seconds since the epoch."""
    wait_s: float

    def __init__(self, model: str, retry_at: float, wait_s: float) -> None:
        self.model = model
        self.retry_at = retry_at
        self.wait_s = wait_s
        super().__init__(f"Model {model!r} {self.why}. It may be asked in {wait_s:.1f} seconds.")


class CircuitOpen(_NotAsked):
    """A model has failed so often in a row that it is not asked until `retry_at`."""

    why = "was not asked, for it has failed too often in a row"


class ModelPaced(_NotAsked):
    """A call would have to wait longer for its turn than its `Pacing` lets it."""

    why = "has been asked as often as its limit per minute allows"


class BudgetExceeded(AgentsException):
    """A call was not begun, for it may take more than a `Budget` has left.

    The run goes on where it stopped once there is more: `Runner.top_up`, a new window, a higher limit.
    `budget` says whose limit it is, `measure` which one; `used` has what calls that go on set aside.
    """

    budget: str
    measure: str
    limit: float
    used: float
    wanted: float
    is_graceful = False

    def __init__(self, budget: str, measure: str, limit: float, used: float, wanted: float) -> None:
        self.budget, self.measure = budget, measure
        self.limit, self.used, self.wanted = limit, used, wanted
        super().__init__(
            f"The budget of {budget} is used up: {used:g} of {limit:g} {measure}, and the next call may "
            f"take {wanted:g}. It was not begun. Add to the budget with Runner.top_up (`outlast topup RUN` "
            "on the command line) or raise its limit, then resume the run."
        )


class ToolTimeoutError(AgentsException):
    """A tool took longer than its `timeout` and asked to fail the run when it does."""

    tool_name: str
    timeout_seconds: float

    def __init__(self, tool_name: str, timeout_seconds: float) -> None:
        self.tool_name = tool_name
        self.timeout_seconds = timeout_seconds
        super().__init__(f"Tool '{tool_name}' timed out after {timeout_seconds:g} seconds.")


class _GuardrailTripped(AgentsException):
    """A guardrail of a whole run said no."""

    guardrail_result: Any

    def __init__(self, guardrail_result: Any) -> None:
        self.guardrail_result = guardrail_result
        kind = type(guardrail_result.guardrail).__name__
        super().__init__(f"Guardrail {kind} triggered tripwire")


class InputGuardrailTripwireTriggered(_GuardrailTripped):
    """An input guardrail refused the run's input."""


class OutputGuardrailTripwireTriggered(_GuardrailTripped):
    """An output guardrail refused the run's final output."""


class ToolInputGuardrailTripwireTriggered(AgentsException):
    """A tool guardrail refused a call and asked to fail the run."""

    guardrail: Any
    output: Any

    def __init__(self, guardrail: object, output: object) -> None:
        self.guardrail = guardrail
        self.output = output
        kind = type(guardrail).__name__
        super().__init__(f"Tool input guardrail {kind} triggered tripwire")


class ToolOutputGuardrailTripwireTriggered(AgentsException):
    """A tool guardrail refused a result and asked to fail the run."""

    guardrail: Any
    output: Any

    def __init__(self, guardrail: object, output: object) -> None:
        self.guardrail = guardrail
        self.output = output
        kind = type(guardrail).__name__
        super().__init__(f"Tool output guardrail {kind} triggered tripwire")


# --- Durable runs. -----------------------------------------------------------------------


class MachineError(AgentsException):
    """What a run is kept in or by failed, not the program and not a model.

    It ends no run and no model is told of it: it leaves `Runner.run`, however deep below a tool it
    was raised, and the run goes on from its log once the cause is gone.
    """


def machine_error(error: BaseException | None) -> MachineError | None:
    """The error of the machine that ``error`` is, wraps or was raised because of, if there is one."""
    left, seen = [error], set[int]()
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        if isinstance(each, MachineError):
            return each
        seen.add(id(each))
        left += [each.__cause__, each.__context__]  # Also below `raise ... from None`.
        if isinstance(each, BaseExceptionGroup):
            left += cast("BaseExceptionGroup[BaseException]", each).exceptions
    return None


class JournalError(MachineError):
    """The journal could not do what it was asked to. Nothing was half written."""

    run_id: str = ""
    """The run in question; empty when it is about the whole journal."""
    seq: int | None = None
    """The position in the run's log, where there is one."""


class JournalUnavailable(JournalError):
    """The journal cannot be opened or reached. Try again, or choose another place for it."""


class JournalConflict(JournalError):
    """Another process has appended to the run since this one read it. Read it again."""


class Fenced(JournalConflict):
    """Another process has taken the run over. This one must stop working on it."""


class JournalCorrupt(JournalError):
    """A record of a run does not match its checksum or cannot be decoded."""


class StorageFull(JournalError):
    """No space is left where the journal is. Free some, then resume the run."""


class StorageBusy(JournalError):
    """The journal was locked by somebody else for too long. Try again."""


class RunNotFound(AgentsException):
    """No run with this id is in the journal."""


class RunConflict(UserError):
    """The id is another run's: the run began with another input, agent or session.

    Choose another id, or read what the run came to with ``RunConfig(on_conflict="return")``.
    """

    run_id, what = "", ""


class RunHasEnded(UserError):
    """A run that has ended was told something. Resume it if it failed, or begin another."""

    run_id, status = "", ""


class CallNotFound(UserError):
    """No call of this id waits, or waited, for a person in the run. See ``waiting``."""

    run_id: str = ""
    waiting: tuple[str, ...] = ()
    """The ids of the calls that do wait."""


class AlreadyDecided(UserError):
    """Somebody has decided about the call before; what he decided holds."""

    run_id: str = ""
    call_id: str = ""
    approved: bool = False
    by: str = ""
    why: str = ""
    at: float | None = None
    """When, in seconds since 1970, if the decision says so."""


class AlreadyRunning(MachineError):
    """A living process owns the run. Wait for it, watch it, or stop it first."""


class RunParked(MachineError):
    """The run waits for a provider that is down, and no process waits with it.

    It has not failed. `recover_runs` and `Recoverer` go on with it when it is due, `Runner.resume` at
    once, and the call that raised this once `retry_at` has come.
    """

    run_id: str
    retry_at: float
    """When the provider is to be asked again, in seconds since the epoch."""

    def __init__(self, run_id: str, retry_at: float, why: str, wait_s: float) -> None:
        self.run_id = run_id
        self.retry_at = retry_at
        self._told = (why, wait_s)
        super().__init__(
            f"Run {run_id!r} is parked for {wait_s:.0f} seconds: its model's provider does not answer "
            f"({why}). Nothing is lost. recover_runs goes on with it then, Runner.resume at once."
        )


class RunIsPaused(MachineError):
    """Somebody has paused the run, and no process waits with it. `Runner.resume` goes on with it."""

    run_id, by, why = "", "", ""


class RunFailedBefore(AgentsException):
    """A run failed of an error whose class this process does not have. Load its module to catch it.

    What is raised is a subclass that bears the class's name, and is an instance of the nearest
    class that is known: a `ValueError`, say.
    """

    kind: str
    """The name of the class."""
    message: str

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(message)


class IncompatibleRun(MachineError):
    """The program cannot go on with the run: it changed, or an older version of Outlast reads it.

    Nothing was recorded and nobody holds the run: a program that fits goes on with it.
    """

    run_id: str = ""
    """The run in question; empty when it is about the whole journal."""
    missing: str = ""
    """The name of what the program does not have."""
    agent: str = ""
    """The agent that lacks the tool or handoff of a call; empty where something else is missing."""
    changes: tuple[Any, ...] = ()  # In what the program differs, where that stops the run.

    @classmethod
    def changed(cls, run_id: str, what: str, advice: str, missing: str = "") -> IncompatibleRun:
        """The error of a program that changed: ``what`` is missing, ``advice`` says what to do."""
        error = cls(
            f"Run {run_id!r} cannot go on here, for the program changed: {what}. {advice} The run was "
            "left as it was."
        )
        error.run_id, error.missing = run_id, missing
        return error


class StateMismatch(IncompatibleRun, ModelBehaviorError):
    """A state has a call that its agent lacks; as in openai-agents, a `ModelBehaviorError` as well."""


class HandoffNotFound(IncompatibleRun):
    """The run is at an agent that the given agent does not lead to any more."""
