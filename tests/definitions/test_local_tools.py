"""Shells, editors, custom tools and computers: their calls, results and configuration."""

from typing import Any

import pytest

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions import debug
from outlast.definitions.computer import (
    Computer,
    ComputerProvider,
    ComputerTool,
    dispose_resolved_computers,
    resolve_computer,
)
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.custom_tool import CustomTool, custom_output_item
from outlast.definitions.editor import (
    ApplyPatchResult,
    patch_operation,
    patch_output_item,
    patch_result,
)
from outlast.definitions.hosted_tools import CodeInterpreterTool, HostedMCPTool
from outlast.definitions.shell_tools import (
    ShellCallOutcome,
    ShellCommandOutput,
    ShellResult,
    ShellTool,
    failed_shell_result,
    refused_shell_result,
    shell_call,
    shell_output_item,
    shell_result,
    shell_text,
)
from outlast.definitions.tool_origin import ToolOrigin, ToolOriginType

HOSTED: Any = {"type": "container_reference", "container_id": "c"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"environment": HOSTED, "executor": print},
        {"environment": HOSTED, "needs_approval": True},
        {"executor": print, "allowed_callers": []},
    ],
)
def test_a_shell_runs_here_or_there(options: Any):
    with pytest.raises(UserError):
        ShellTool(**options)


def test_a_shell_is_local_unless_said_otherwise():
    assert ShellTool(print).is_local
    assert not ShellTool(environment=HOSTED).is_local


def action(**fields: Any) -> dict[str, Any]:
    return {"call_id": "c", "action": {"commands": ["ls"], **fields}, "status": "completed"}


def test_a_shell_call_is_read_in_all_spellings():
    call = shell_call(action(timeoutMs=5, maxOutputLength=7))
    assert (call.call_id, call.status) == ("c", "completed")
    assert (call.action.commands, call.action.timeout_ms, call.action.max_output_length) == (
        ["ls"],
        5,
        7,
    )
    assert shell_call(action(timeout_ms=0)).action.timeout_ms is None


@pytest.mark.parametrize(
    "item",
    [
        {},
        action(commands=[]),
        action(commands="ls"),
        action(timeout_ms=-1),
        action(timeout_ms=0.5),
        action(timeout_ms=False),
    ],
)
def test_a_shell_call_that_cannot_be_run_is_the_models_mistake(item: Any):
    with pytest.raises(ModelBehaviorError):
        shell_call(item)


def out(
    stdout: str = "", stderr: str = "", code: int | None = 0, command: str | None = None
) -> Any:
    return ShellCommandOutput(stdout, stderr, ShellCallOutcome("exit", code), command)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (out("o\n", "e\n", 2, "ls"), "$ ls\no\n\nstderr:\ne\nexit code: 2"),
        (out(stderr="e"), "stderr:\ne"),
        (out(), "(no output)"),
        (ShellCommandOutput(outcome=ShellCallOutcome("timeout")), "status: timeout"),
    ],
)
def test_output_reads_like_a_terminal(output: Any, text: str):
    assert shell_text(ShellResult([output])) == text


def test_output_of_several_commands_is_set_apart():
    assert shell_text(ShellResult([out("a"), out("b")])) == "a\n\nb"


def test_the_smaller_limit_bounds_all_output_together():
    result = shell_result(ShellResult([out("abcdef", "xyz"), out("more")], max_output_length=8), 7)
    assert [(each.stdout, each.stderr) for each in result.output] == [("abcdef", "x"), ("", "")]
    assert shell_output_item("c", result)["max_output_length"] == 7


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        ({"outcome": "success"}, ("exit", 0)),
        ({"outcome": "failure"}, ("exit", 1)),
        ({"outcome": {"type": "timeout"}}, ("timeout", None)),
        ({"outcome": ShellCallOutcome("exit", 3)}, ("exit", 3)),
        ({"status": "timeout"}, ("timeout", None)),
        ({"exit_code": 4}, ("exit", 4)),
    ],
)
def test_an_executor_may_answer_in_dicts(raw: Any, outcome: Any):
    (output,) = shell_result(ShellResult([raw]), None).output
    assert (output.outcome.type, output.exit_code) == outcome
    assert output.status == ("timeout" if outcome[0] == "timeout" else "completed")


def test_an_executor_that_captured_no_stream_says_nothing_with_it():
    (output,) = shell_result(ShellResult([{"stdout": None, "stderr": "no"}]), None).output
    assert (output.stdout, output.stderr) == ("", "no")


@pytest.mark.parametrize("answered", [None, ShellResult([1])])
def test_an_executor_answers_text_or_a_result(answered: Any):
    with pytest.raises(UserError):
        shell_result(answered, None)


def test_the_item_holds_what_the_api_knows():
    assert shell_output_item("c", shell_result("o", None), caller={"type": "direct"}) == {
        "type": "shell_call_output",
        "call_id": "c",
        "output": [{"stdout": "o", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
        "status": "completed",
        "caller": {"type": "direct"},
    }


def test_failures_and_refusals_exit_with_one():
    failed = shell_output_item("c", failed_shell_result("boom", 2), status="failed")
    assert failed["output"][0] == {
        "stdout": "bo",
        "stderr": "",
        "outcome": {"type": "exit", "exit_code": 1},
    }
    refused = shell_output_item("c", refused_shell_result("no"), status=None)
    assert refused["output"][0]["stderr"] == "no"
    assert "status" not in refused


def test_a_patch_operation_is_read():
    raw = {"type": "update_file", "path": "a", "diff": "+x", "move_to": "b"}
    operation = patch_operation(raw, None)
    assert (operation.path, operation.diff, operation.move_to) == ("a", "+x", "b")
    assert patch_operation({"type": "delete_file", "path": "a"}, None).diff is None


@pytest.mark.parametrize(
    "raw", [None, {}, {"type": "delete_file"}, {"type": "create_file", "path": "a"}]
)
def test_a_patch_operation_without_its_parts_is_the_models_mistake(raw: Any):
    with pytest.raises(ModelBehaviorError):
        patch_operation(raw, None)


@pytest.mark.parametrize(
    ("edited", "status", "told"),
    [
        (None, "completed", None),
        ("x", "completed", "x"),
        (ApplyPatchResult("failed", "y"), "failed", "y"),
    ],
)
def test_an_editor_answers_with_text_a_result_or_nothing(
    edited: Any, status: str, told: str | None
):
    item = patch_output_item("c", patch_result(edited), caller={"type": "direct"})
    assert (item["status"], item.get("output")) == (status, told)


def test_a_custom_tool_is_written_as_the_api_wants_it():
    tool = CustomTool("t", "d", lambda *_: 1, {"type": "text"}, defer_loading=True, allowed_callers=["direct"])  # fmt: skip
    assert tool.tool_config == {
        "type": "custom", "name": "t", "description": "d", "format": {"type": "text"},
        "defer_loading": True, "allowed_callers": ["direct"],
    }  # fmt: skip
    assert tool.runtime_needs_approval() is False
    assert custom_output_item("c", 5, {"type": "direct"})["output"] == "5"


def test_callers_in_a_configuration_are_checked():
    with pytest.raises(UserError):
        HostedMCPTool({"type": "mcp", "server_label": "s", "allowed_callers": []})
    with pytest.raises(UserError):
        CodeInterpreterTool({"type": "code_interpreter", "container": "c", "allowed_callers": []})


def touched(*_: Any) -> str:
    return ""


Screen: Any = type("Screen", (Computer,), dict.fromkeys(Computer.__abstractmethods__, touched))


async def test_each_run_has_its_own_computer_and_gives_it_back():
    given_back: list[Any] = []

    async def create(*, run_context: Any) -> Any:
        return Screen()

    async def dispose(*, run_context: Any, computer: Any) -> None:
        given_back.append(computer)

    tool = ComputerTool(ComputerProvider(create, dispose))
    runs = RunContextWrapper(1), RunContextWrapper(2)
    first, second = [await resolve_computer(tool=tool, run_context=run) for run in runs]
    assert first is not second
    assert await resolve_computer(tool=tool, run_context=runs[0]) is first
    seen = tool.holding(second)
    assert seen is not tool
    assert seen.computer is second
    await dispose_resolved_computers(run_context=runs[0])
    assert given_back == [first]


async def test_a_given_computer_is_used_as_it_is():
    tool = ComputerTool(Screen())
    run = RunContextWrapper(1)
    assert await resolve_computer(tool=tool, run_context=run) is tool.computer
    assert (tool.name, tool.trace_name) == ("computer_use_preview", "computer")
    assert (tool.computer.environment, tool.computer.dimensions) == (None, None)


async def test_a_factory_makes_a_computer():
    with pytest.raises(UserError, match="returned a int"):
        await resolve_computer(tool=ComputerTool(lambda **_: 5), run_context=RunContextWrapper(1))


@pytest.mark.parametrize("hides", [True, False])
async def test_a_computer_that_cannot_be_given_back_is_logged(
    hides: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(debug, "DONT_LOG_TOOL_DATA", hides)

    def dispose(**_: Any) -> None:
        raise OSError("SECRET")

    run = RunContextWrapper(1)
    await resolve_computer(
        tool=ComputerTool(ComputerProvider(lambda **_: Screen(), dispose)), run_context=run
    )
    await dispose_resolved_computers(run_context=run)
    assert "Failed to dispose computer" in caplog.text
    assert ("SECRET" not in caplog.text) is hides


def test_an_origin_survives_json():
    origin = ToolOrigin(ToolOriginType.MCP, mcp_server_name="docs")
    assert ToolOrigin.from_json_dict(origin.to_json_dict()) == origin
    assert ToolOrigin.from_json_dict({"type": "?"}) is None
    assert ToolOrigin.from_json_dict(None) is None
