"""Shell tools: what an executor is asked, what it answers, and how that reads to the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.tool_callers import (
    ApprovalFunction,
    OnApprovalFunction,
    OnApprovalFunctionResult,
    ToolCaller,
    check_callers,
)
from outlast.definitions.tool_output import answer_item

if TYPE_CHECKING:
    from openai.types.responses.response_output_item import LocalShellCall

    from outlast.definitions.openai_types import ShellToolEnvironment


@dataclass
class LocalShellCommandRequest:
    """What the executor of a `LocalShellTool` is asked to run."""

    ctx_wrapper: RunContextWrapper
    data: LocalShellCall


LocalShellExecutor = Callable[[LocalShellCommandRequest], Awaitable[str] | str]


@dataclass
class LocalShellTool:
    """The older shell tool, one command at a time."""

    name: ClassVar[str] = "local_shell"

    executor: LocalShellExecutor


@dataclass
class ShellCallOutcome:
    """How a command ended."""

    type: Literal["exit", "timeout"]
    exit_code: int | None = None


@dataclass
class ShellCommandOutput:
    """What one command wrote, and how it ended."""

    stdout: str = ""
    stderr: str = ""
    outcome: ShellCallOutcome = field(default_factory=lambda: ShellCallOutcome("exit"))
    command: str | None = None
    provider_data: dict[str, Any] | None = None

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None when it was not left to end."""
        return self.outcome.exit_code

    @property
    def status(self) -> Literal["completed", "timeout"]:
        """Whether it ended by itself."""
        return "timeout" if self.outcome.type == "timeout" else "completed"


@dataclass
class ShellResult:
    """What the commands of a call wrote, in their order."""

    output: list[ShellCommandOutput]
    max_output_length: int | None = None
    """Characters of stdout and stderr together; the call's own limit holds too."""
    provider_data: dict[str, Any] | None = None


@dataclass
class ShellActionRequest:
    """The commands of a call and their limits."""

    commands: list[str]
    timeout_ms: int | None = None
    max_output_length: int | None = None


@dataclass
class ShellCallData:
    """A call of the shell tool."""

    call_id: str
    action: ShellActionRequest
    status: Literal["in_progress", "completed"] | None = None
    raw: Any | None = None


@dataclass
class ShellCommandRequest:
    """What the executor of a `ShellTool` is asked to run."""

    ctx_wrapper: RunContextWrapper
    data: ShellCallData


ShellExecutor = Callable[[ShellCommandRequest], Awaitable[str | ShellResult] | str | ShellResult]


ShellOnApprovalFunctionResult = OnApprovalFunctionResult
ShellOnApprovalFunction = OnApprovalFunction
ShellApprovalFunction = ApprovalFunction[ShellActionRequest]


@dataclass
class ShellTool:
    """Lets the model run commands, here (by ``executor``) or in a container of the provider."""

    type: ClassVar[str] = "shell"
    """The type of the tool in the API."""

    executor: ShellExecutor | None = None
    name: str = "shell"
    needs_approval: bool | ShellApprovalFunction = False
    on_approval: ShellOnApprovalFunction | None = None
    environment: ShellToolEnvironment | None = None
    _: KW_ONLY
    allowed_callers: list[ToolCaller] | None = None

    def __post_init__(self) -> None:
        check_callers(f"shell tool {self.name!r}", self.allowed_callers)
        if self.environment is None:
            self.environment = {"type": "local"}
        kind = self.environment["type"]
        if kind == "local":
            if self.executor is None:
                raise UserError(f"Shell tool {self.name!r} is local and requires an executor.")
            return
        if self.executor is not None:
            raise UserError(
                f"Shell tool {self.name!r} runs in the hosted environment {kind!r}, which does not "
                "accept an executor. Drop it, or use the local environment."
            )
        if self.needs_approval is not False or self.on_approval is not None:
            raise UserError(
                f"Shell tool {self.name!r} runs in the hosted environment {kind!r}, which does not "
                "support needs_approval or on_approval. Drop them, or use the local environment."
            )

    @property
    def is_local(self) -> bool:
        """Whether calls of it are run by its executor."""
        return self.environment is None or self.environment["type"] == "local"


def shell_call(item: Mapping[str, Any]) -> ShellCallData:
    """The call that a model's `shell_call` item makes.

    Raises:
        ModelBehaviorError: Its commands or limits are not usable; nothing may run.
    """
    action = item.get("action")
    call_id = item.get("call_id") or item.get("id")
    if not isinstance(action, Mapping) or not isinstance(call_id, str):
        raise ModelBehaviorError("A shell call has no action or no call id.")
    action = cast("Mapping[str, Any]", action)
    status = item.get("status")
    return ShellCallData(
        call_id,
        ShellActionRequest(
            _commands(action.get("commands")),
            _timeout_ms(action),
            _output_limit(_first(action, "max_output_length", "maxOutputLength")),
        ),
        status if status in ("in_progress", "completed") else None,
        item,
    )


def _commands(raw: object) -> list[str]:
    if isinstance(raw, str | bytes | bytearray) or not isinstance(raw, Sequence):
        raise ModelBehaviorError(
            "Shell call action commands must be a sequence of command strings."
        )
    commands = [str(command) for command in cast("Sequence[Any]", raw) if command is not None]
    if not commands:
        raise ModelBehaviorError("A shell call has no command.")
    return commands


def _timeout_ms(action: Mapping[str, Any]) -> int | None:
    raw = _first(action, "timeout_ms", "timeoutMs", "timeout")
    if raw is None or (type(raw) in (int, float) and raw == 0):
        return None
    if type(raw) is not int or raw < 0:
        raise ModelBehaviorError(
            f"Shell call action timeout must be a positive integer of milliseconds, got {raw!r}."
        )
    return raw


def _output_limit(raw: object) -> int | None:
    return max(raw, 0) if type(raw) is int else None


def _first(action: Mapping[str, Any], *names: str) -> Any:
    return next((action[name] for name in names if action.get(name) is not None), None)


def shell_result(answered: object, limit: int | None) -> ShellResult:
    """What an executor answered, cut to the smaller of its own and the call's ``limit``."""
    if isinstance(answered, str):
        answered = ShellResult([ShellCommandOutput(answered, outcome=ShellCallOutcome("exit", 0))])
    if not isinstance(answered, ShellResult):
        raise UserError(
            f"A shell executor returned {type(answered).__name__}; expected str or ShellResult."
        )
    outputs = [_command_output(each) for each in cast("list[Any]", answered.output)]
    limits = (limit, _output_limit(answered.max_output_length))
    smallest = min((each for each in limits if each is not None), default=None)
    if smallest is not None:
        outputs = _cut(outputs, smallest)
    return ShellResult(outputs, smallest, answered.provider_data)


def _command_output(raw: object) -> ShellCommandOutput:
    if isinstance(raw, ShellCommandOutput):
        return raw
    if not isinstance(raw, Mapping):
        raise UserError(f"A shell executor returned {type(raw).__name__} for a command's output.")
    entry = cast("Mapping[str, Any]", raw)
    return ShellCommandOutput(
        str(entry.get("stdout") or ""),
        str(entry.get("stderr") or ""),
        _outcome(entry),
        entry.get("command"),
        entry.get("provider_data"),
    )


def _outcome(entry: Mapping[str, Any]) -> ShellCallOutcome:
    raw = entry.get("outcome")
    if isinstance(raw, ShellCallOutcome):
        return raw
    if isinstance(raw, Mapping):
        outcome = cast("Mapping[str, Any]", raw)
        kind, code = outcome.get("type", "exit"), outcome.get("exit_code")
        return ShellCallOutcome(kind, code if isinstance(code, int) else None)
    if raw == "timeout" or entry.get("status") == "timeout":
        return ShellCallOutcome("timeout")
    code = entry.get("exit_code")
    if not isinstance(code, int):
        code = {"success": 0, "failure": 1}.get(str(raw))
    return ShellCallOutcome("exit", code)


def _cut(outputs: list[ShellCommandOutput], limit: int) -> list[ShellCommandOutput]:
    cut: list[ShellCommandOutput] = []
    for each in outputs:
        stdout = each.stdout[:limit]
        limit -= len(stdout)
        stderr = each.stderr[:limit]
        limit -= len(stderr)
        cut.append(replace(each, stdout=stdout, stderr=stderr))
    return cut


def shell_text(result: ShellResult) -> str:
    """What the commands wrote, as people and hooks get to read it."""
    return "\n\n".join(_command_text(each) for each in result.output) or "(no output)"


def _command_text(output: ShellCommandOutput) -> str:
    stdout, stderr = output.stdout.rstrip("\n"), output.stderr.rstrip("\n")
    lines = [f"$ {output.command}"] if output.command else []
    lines += [stdout] if stdout else []
    if stderr:
        lines += [""] if stdout else []
        lines += ["stderr:", stderr]
    if output.exit_code not in (None, 0):
        lines.append(f"exit code: {output.exit_code}")
    if output.status == "timeout":
        lines.append("status: timeout")
    return "\n".join(lines) or "(no output)"


def shell_output_item(
    call_id: str,
    result: ShellResult,
    *,
    status: Literal["completed", "failed"] | None = "completed",
    caller: object = None,
) -> dict[str, Any]:
    """The item that answers a shell call; no ``status`` where the call was refused."""
    return answer_item(
        "shell_call_output",
        call_id,
        output=[_wire_output(each) for each in result.output],
        status=status,
        max_output_length=result.max_output_length,
        caller=caller,
    )


def _wire_output(output: ShellCommandOutput) -> dict[str, Any]:
    outcome: dict[str, Any] = {"type": output.outcome.type}
    if output.outcome.type == "exit":
        # The API wants a number, and an executor that says nothing means success.
        outcome["exit_code"] = output.exit_code or 0
    return {"stdout": output.stdout, "stderr": output.stderr, "outcome": outcome}


def failed_shell_result(text: str, limit: int | None = None, exit_code: int = 1) -> ShellResult:
    """The result of a call whose executor raised; the model reads ``text`` as its output."""
    outcome = ShellCallOutcome("exit", exit_code)
    return shell_result(ShellResult([ShellCommandOutput(text, outcome=outcome)]), limit)


def refused_shell_result(text: str) -> ShellResult:
    """The result of a call that nobody approved."""
    return ShellResult([ShellCommandOutput(stderr=text, outcome=ShellCallOutcome("exit", 1))])
