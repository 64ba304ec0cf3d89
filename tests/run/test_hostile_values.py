"""What user code hands over may fail when it is looked at: a tool that ran is not run again for it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from outlast import (
    Agent,
    AgentsException,
    CustomTool,
    LocalShellTool,
    RunConfig,
    Runner,
    ShellTool,
    ToolContext,
    ToolGuardrailFunctionOutput,
    UserError,
    function_tool,
    tool_output_guardrail,
)
from outlast.journal import SqliteJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


def _refuses(*_: Any, **__: Any) -> Any:
    raise RuntimeError("This value does not want to be looked at.")


_LOOKS = (
    "__str__", "__repr__", "__eq__", "__hash__", "__len__", "__bool__", "__iter__", "__format__",
    "__getitem__", "__contains__", "__deepcopy__", "__copy__", "__reduce_ex__", "encode", "isascii",
    "items", "keys", "values", "get", "decode", "__int__", "__float__", "__index__", "__lt__",
)  # fmt: skip


def _like(base: type, *names: str) -> type:
    return type("Hostile", (base,), dict.fromkeys(names or _LOOKS, _refuses))


class _Meta(type):
    @property
    def __name__(cls) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return _refuses()


class _Zone(dt.tzinfo):
    utcoffset = dst = tzname = _refuses


class _Disguised:
    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _refuses()


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(2_000):
        deep = [deep]
    return deep


VALUES: dict[str, Callable[[], Any]] = {
    "a text that cannot be shown": lambda: _like(str, "__str__")("a"),
    "a text": lambda: _like(str)("a"),
    "half a surrogate pair": lambda: _like(str)("\ud800"),
    "an object": _like(object),
    "an object without attributes": _like(object, "__getattribute__"),
    "an object with any attribute": _like(object, "__getattr__"),
    "a disguise": _Disguised,
    "a class without a name": _Meta("M", (), {"__str__": _refuses}),
    "a dict": lambda: _like(dict)({"a": 1}),
    "a key": lambda: {_like(str, "__str__", "encode")("k"): 1},
    "nearly a part": lambda: {"type": _like(str, "__eq__", "__str__")("image"), "image_url": "x"},
    "a list": lambda: _like(list)([1]),
    "an element": lambda: [_like(object)()],
    "a tuple": lambda: _like(tuple)((1,)),
    "a number": lambda: _like(int)(5),
    "a fraction": lambda: _like(float)(0.5),
    "bytes": lambda: _like(bytes)(b"x"),
    "a set": lambda: _like(frozenset)({1}),
    "an error": _like(ValueError),
    "a moment": lambda: dt.datetime(2026, 1, 1, tzinfo=_Zone()),
    "a number of many digits": lambda: 10**6000,
    "a circle": _cycle,
    "a tower": _deep,
}


class _Done:
    """What was done, and the value that it comes to."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.count = 0
        self.make = make

    def __call__(self, *_: Any) -> Any:
        self.count += 1
        return self.make()


def _function(done: _Done, **options: Any) -> Any:
    async def pay() -> Any:
        return done()

    return function_tool(pay, failure_error_function=None, **options)


def _plain(done: _Done) -> Any:
    def pay() -> Any:
        return done()

    return function_tool(pay, failure_error_function=None)


def _step(done: _Done) -> Any:
    failures = iter([RuntimeError("Once.")])

    async def pay(ctx: ToolContext[Any]) -> str:
        with contextlib.suppress(UserError):  # The log cannot keep it, and says so each time.
            await ctx.step("pay", done)
        for failure in failures:
            raise failure
        return "paid"

    return function_tool(pay, failure_error_function=None)


def _told(done: _Done) -> Any:
    async def pay() -> str:
        raise ValueError("No.")

    return function_tool(pay, failure_error_function=done)


def _info(done: _Done) -> Any:
    @tool_output_guardrail
    def look(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.allow(output_info=done.make())

    return _function(_Counting(done), tool_output_guardrails=[look])


def _refusal(done: _Done) -> Any:
    @tool_output_guardrail
    def look(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.reject_content(done.make())

    return _function(_Counting(done), tool_output_guardrails=[look])


class _Counting(_Done):
    """The same deed with an answer that is harmless."""

    def __init__(self, done: _Done) -> None:
        super().__init__(lambda: "paid")
        self._done = done

    def __call__(self, *_: Any) -> Any:
        self._done.count += 1
        return super().__call__()


def _custom(done: _Done) -> Any:
    async def pay(ctx: Any, text: str) -> Any:
        return done()

    return CustomTool(name="pay", description="", on_invoke_tool=pay)


TOOLS: dict[str, tuple[Callable[[_Done], Any], Any]] = {
    "async": (_function, function_call("pay", {}, call_id="c1")),
    "plain": (_plain, function_call("pay", {}, call_id="c1")),
    "step": (_step, function_call("pay", {}, call_id="c1")),
    "failure": (_told, function_call("pay", {}, call_id="c1")),
    "guardrail's info": (_info, function_call("pay", {}, call_id="c1")),
    "guardrail's message": (_refusal, function_call("pay", {}, call_id="c1")),
    "custom": (
        _custom,
        {"type": "custom_tool_call", "call_id": "c1", "id": "i", "name": "pay", "input": "x"},
    ),
    "shell": (
        lambda done: ShellTool(executor=done),
        {
            "type": "shell_call", "call_id": "c1", "id": "i", "status": "completed",
            "action": {"commands": ["ls"]},
        },
    ),
    "local shell": (
        lambda done: LocalShellTool(executor=done),
        {
            "type": "local_shell_call", "call_id": "c1", "id": "i", "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TOOLS)
async def test_a_tool_that_ran_is_not_run_again_for_what_it_returned(kind: str, tmp_path: Any):
    make_tool, call = TOOLS[kind]
    journal = SqliteJournal(tmp_path / "journal.db")
    config = RunConfig(journal=journal, tracing_disabled=True)
    wrong: dict[str, Any] = {}
    for name, make in VALUES.items():
        done = _Done(make)
        model = ScriptedModel([[call], *([assistant_message("done")] for _ in range(4))])
        agent = Agent(name="Desk", tools=[make_tool(done)], model=model)
        result = await _persistently(agent, name, config)
        state = result.to_state().to_string()
        if (done.count, result.final_output) != (1, "done") or not state:
            wrong[name] = (done.count, result.final_output)
    await journal.close()
    assert not wrong


async def _persistently(agent: Agent[Any], run_id: str, config: RunConfig) -> Any:
    """The run's end; where it fails it is gone on with, as a person does."""
    try:
        return await Runner.run(agent, "Pay.", run_id=run_id, run_config=config)
    except AgentsException:
        return await Runner.resume(run_id, agent, run_config=config)
