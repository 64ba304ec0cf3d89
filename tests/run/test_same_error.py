"""The same call after the end raises what the first call raised: same class, same data, anywhere."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from raising import ALL, Declined, facts, raised  # a module beside this one

from outlast import (
    Agent,
    AgentsException,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    RunFailedBefore,
    Runner,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolOutputGuardrail,
    function_tool,
)
from outlast.core import errors
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A journal with a run of each error, and what the first call told of it."""
    file = str(tmp_path_factory.mktemp("same") / "journal.db")

    async def all_of_them() -> dict[str, Any]:
        return {name: await raised(name, file) for name in ALL}

    errors_raised = asyncio.run(all_of_them())
    told = {name: facts(error) for name, error in errors_raised.items()}
    return {"file": file, "told": told, "errors": errors_raised}


@pytest.fixture(scope="module")
def elsewhere(first: dict[str, Any]) -> dict[str, Any]:
    """What another process hears of the same runs, once all of them have failed here."""
    program = Path(__file__).parent / "raising.py"
    done = subprocess.run(
        [sys.executable, str(program), first["file"]], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ALL)
async def test_the_same_call_raises_the_same_error(name: str, first: dict[str, Any]):
    error, again = first["errors"][name], await raised(name, first["file"])
    assert type(again) is type(error) or type(again).__mro__[1:] == type(error).__mro__[1:]
    assert facts(again) == first["told"][name]


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("Declined", "NoRoute")])
def test_so_does_another_process(name: str, first: dict[str, Any], elsewhere: dict[str, Any]):
    assert elsewhere[name] == json.loads(json.dumps(first["told"][name]))


def test_a_class_that_is_another_one_elsewhere_is_not_taken_for_it(elsewhere: dict[str, Any]):
    """In the other process the class stands in `__main__`: a class of that name, not the same one."""
    told = elsewhere["Declined"]
    assert told["class"][:2] == ["Declined", "RunFailedBefore"]
    assert "ValueError" in told["class"]
    assert told["text"] == "order 17 was declined"
    assert (told["fields"]["order"], told["fields"]["kind"]) == ("17", "Declined")
    assert elsewhere["NoRoute"]["class"][:2] == ["NoRoute", "RunFailedBefore"]
    assert elsewhere["NoRoute"]["named"]["errno"] == 113


async def test_a_log_keeps_no_secret_of_an_error(first: dict[str, Any]):
    held = b"".join(file.read_bytes() for file in Path(first["file"]).parent.iterdir())
    assert b"order 17 was declined" in held
    assert b"secret" not in held


async def test_a_class_of_the_users_is_found_among_those_that_are_loaded(first: dict[str, Any]):
    again = await raised("Declined", first["file"])
    assert type(again) is Declined
    assert (again.order, again.code) == ("17", 4)
    assert not hasattr(again, "api_key")
    assert not isinstance(again, RunFailedBefore)


# --- Guardrails. -------------------------------------------------------------------------


def _trip(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput({"why": 7}, tripwire_triggered=True)


def _trip_tool(_: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.raise_exception({"why": 7})


def _guarded(where: str, *, has_guardrails: bool) -> Agent[Any]:
    tool = function_tool(lambda: "looked", name_override="look")
    guardrails: dict[str, Any] = {}
    if has_guardrails and where == "input":
        guardrails = {"input_guardrails": [InputGuardrail(_trip, name="watch")]}
    if has_guardrails and where == "output":
        guardrails = {"output_guardrails": [OutputGuardrail(_trip, name="watch")]}
    if has_guardrails and where == "tool_input":
        tool.tool_input_guardrails = [ToolInputGuardrail(_trip_tool, name="watch")]
    if has_guardrails and where == "tool_output":
        tool.tool_output_guardrails = [ToolOutputGuardrail(_trip_tool, name="watch")]
    steps = [[function_call("look", {}, call_id="1")], [assistant_message("done")]]
    return Agent(name="desk", tools=[tool], model=ScriptedModel(steps), **guardrails)


@pytest.mark.parametrize("has_guardrails", [True, False])
@pytest.mark.parametrize("where", ["input", "output", "tool_input", "tool_output"])
async def test_a_tripped_guardrail_is_final_and_has_its_result_again(
    where: str, has_guardrails: bool
):
    journal = MemoryJournal()
    kind: Any = {
        "input": errors.InputGuardrailTripwireTriggered,
        "output": errors.OutputGuardrailTripwireTriggered,
        "tool_input": errors.ToolInputGuardrailTripwireTriggered,
        "tool_output": errors.ToolOutputGuardrailTripwireTriggered,
    }[where]
    config = RunConfig(journal=journal)
    with pytest.raises(kind) as one:
        await Runner.run(_guarded(where, has_guardrails=True), "hi", run_id="r", run_config=config)
    events = len(await journal.read("r"))
    agent = _guarded(where, has_guardrails=has_guardrails)
    with pytest.raises(kind) as same:
        await Runner.run(agent, "hi", run_id="r", run_config=config)
    with pytest.raises(kind) as resumed:
        await Runner.resume("r", agent, run_config=config)
    assert str(same.value) == str(one.value)
    for error in (same.value, resumed.value):
        result = getattr(error, "guardrail_result", error)
        assert result.guardrail.get_name() == "watch"
        assert result.output.output_info == {"why": 7}
        assert error.run_data is not None
    note = resumed.value.__notes__[-1]
    assert note.startswith("Run 'r' was refused by ")
    assert "'watch'; that does not change. Start a new run." in note
    assert len(await journal.read("r")) == events


async def test_no_error_becomes_a_bare_one(first: dict[str, Any]):
    bare = [name for name in ALL if type(await raised(name, first["file"])) is AgentsException]
    assert bare == ["AgentsException"]
