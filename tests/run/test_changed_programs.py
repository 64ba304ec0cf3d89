"""What becomes of a run when its program changes: a table, and what holds for each of its cells.

The first version begins a run. Its process dies in the middle of something (*interrupted*), or the
run waits for a person (*waiting*), or it ends (*completed*). Then another version comes upon it:

    refused X   it is told that the program changed and that X is missing; the run is as it was, and
                the first version goes on with it later, repeating nothing
    goes on     it goes on with the run to its end, repeating nothing
    waits       it may look at what waits, and goes on to the end once a person has said yes
    read        it gets the output that the log has, and performs nothing
    read json   the same; the output is the JSON value, for its type is gone

`docs/explanation/changed-programs.md` says the same for readers.
"""

from __future__ import annotations

import sys
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from programs import (  # beside this file
    LAST,
    PAYS,
    Bill,
    Case,
    Change,
    Customer,
    Order,
    Parts,
    Place,
    Told,
    scripted,
    unchanged,
)

from outlast import (
    Agent,
    CustomTool,
    IncompatibleRun,
    ModelBehaviorError,
    ModelSettings,
    RunConfig,
    Runner,
    function_tool,
    handoff,
)
from outlast.testing import ScriptedModel, assistant_message, function_call


class Row(NamedTuple):
    """One change, and what it means for the three kinds of runs."""

    what: str
    scene: str
    """The story, and where in it the first process dies."""
    change: Change
    interrupted: str
    waiting: str
    completed: str
    first: Change = unchanged
    """What the first version is, where it is not the plain one."""
    undone: tuple[str, ...] = ()
    """What the new version does not do any more, on its way to the end."""


# --- Changes. ----------------------------------------------------------------------------


def renamed(parts: Parts) -> None:
    parts.swap("pay", parts.tool("pay", name="settle", needs_approval=parts.asks))


def added_in_front(parts: Parts) -> None:
    parts.tools["desk"].insert(0, parts.tool("weigh"))


def reversed_tools(parts: Parts) -> None:
    parts.tools["desk"].reverse()


def optional_parameter(parts: Parts) -> None:
    parts.swap("pay", _pay(parts, "optional"))


def required_parameter(parts: Parts) -> None:
    parts.swap("pay", _pay(parts, "required"))


def parameter(name: str, kind: Any, *default: Any) -> Change:
    """The tool takes this one, in place of its order."""

    def change(parts: Parts) -> None:
        async def pay(**_: Any) -> str:
            await parts.world.at("pay")
            return "pay done"

        ways = {"default": default[0]} if default else {}
        one = Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, **ways) if name else None
        pay.__signature__ = Signature([one] if one else [])
        pay.__annotations__ = {name: kind} if name else {}
        parts.swap("pay", function_tool(pay, needs_approval=parts.asks))

    return change


def required_and_raising(parts: Parts) -> None:
    parts.swap("pay", _pay(parts, "required", failure_error_function=None))


def _pay(parts: Parts, kind: str, **more: Any) -> Any:
    async def optional(order: int, note: str = "") -> str:
        await parts.world.at("pay")
        return "pay done"

    async def required(order: int, account: str) -> str:
        await parts.world.at("pay")
        return "pay done"

    body = {"optional": optional, "required": required}[kind]
    more.setdefault("needs_approval", parts.asks)
    return function_tool(body, name_override="pay", **more)


def plain_function(parts: Parts) -> None:
    def pay(order: int) -> str:
        parts.world.did["pay"] += 1
        return "pay done"

    parts.swap("pay", function_tool(pay, needs_approval=parts.asks))


def asks_now(parts: Parts) -> None:
    parts.swap("pay", parts.tool("pay", needs_approval=True))


def asks_no_more(parts: Parts) -> None:
    parts.swap("pay", parts.tool("pay"))


def runs_once(parts: Parts) -> None:
    parts.swap("pay", parts.tool("pay", on_uncertain="once", needs_approval=parts.asks))


def moved_to_another_agent(parts: Parts) -> None:
    parts.story = "billing"
    parts.tools["billing"] = [parts.drop("pay")]


def became_a_handoff(parts: Parts) -> None:
    parts.drop("pay")
    parts.settings["desk"]["handoffs"] = [handoff(Agent(name="pay"), tool_name_override="pay")]


def became_a_custom_tool(parts: Parts) -> None:
    parts.drop("pay")

    async def run(context: Any, text: str) -> str:
        return "no function"

    custom: Any = CustomTool(name="pay", description="", on_invoke_tool=run)
    parts.tools["desk"].append(custom)


def disabled(parts: Parts) -> None:
    parts.swap("pay", parts.tool("pay", is_enabled=False, needs_approval=parts.asks))


def disabled_by_function(parts: Parts) -> None:
    off = parts.tool("pay", is_enabled=lambda context, agent: False, needs_approval=parts.asks)
    parts.swap("pay", off)


def described_anew(parts: Parts) -> None:
    parts.tools["desk"][1].description = "Pays, but for strangers."


def without(tool: str) -> Change:
    def change(parts: Parts) -> None:
        parts.drop(tool)

    return change


def another_model(parts: Parts) -> None:
    parts.settings["desk"]["model"] = scripted(parts.world, *PAYS, [assistant_message("done")])


def no_tools(parts: Parts) -> None:
    parts.tools["desk"].clear()


def no_inner_tools(parts: Parts) -> None:
    parts.tools["clerk"].clear()


def no_refund(parts: Parts) -> None:
    parts.tools["billing"].clear()


def no_hooks(parts: Parts) -> None:
    parts.hooks = None


def no_clerk(parts: Parts) -> None:
    parts.story = "shop"


def ends_with_tools(parts: Parts) -> None:
    parts.settings["desk"]["tool_use_behavior"] = {"stop_at_tool_names": ["nothing"]}


def setting(agent: str, **settings: Any) -> Change:
    return lambda parts: parts.settings[agent].update(settings)


def name(agent: str, other: str) -> Change:
    return lambda parts: parts.names.update({agent: other})


def no_handoff(parts: Parts) -> None:
    parts.handoff = None


def dying_handoff(parts: Parts) -> None:
    async def leave(context: Any) -> None:
        await parts.world.at("leave")

    parts.handoff = {"on_handoff": leave}


def handoff_tool_renamed(parts: Parts) -> None:
    parts.handoff = {**(parts.handoff or {}), "tool_name_override": "go_to_billing"}


def handoff_kept_by_name(parts: Parts) -> None:
    parts.handoff = {**(parts.handoff or {}), "tool_name_override": "transfer_to_billing"}
    parts.names["billing"] = "accounts"


def handoff_added(parts: Parts) -> None:
    parts.settings["desk"]["handoffs"] = [Agent(name="somebody")]


def guards(*names: str, parallel: bool = False) -> Change:
    def change(parts: Parts) -> None:
        parts.guards[:] = [parts.guard(each, parallel=parallel) for each in names]

    return change


def checks(*names: str) -> Change:
    def change(parts: Parts) -> None:
        parts.checks[:] = [parts.check(each) for each in names]

    return change


def typed(kind: Any, text: str = '{"order": 1}') -> Change:
    def change(parts: Parts) -> None:
        parts.settings["desk"]["output_type"] = kind
        parts.answer = text

    return change


def typed_and_heard(parts: Parts) -> None:
    typed(Order)(parts)
    hooks_given(parts)


def hooks_given(parts: Parts) -> None:
    parts.hooks = Told(parts.world)


def clerk_is_a_function(parts: Parts) -> None:
    parts.clerk_is_agent = False


# --- The table. --------------------------------------------------------------------------

ON, WAITS, READ, JSON = "goes on", "waits", "read", "read json"
PAY, REFUND, STAMP = "refused pay", "refused refund", "refused stamp"

TABLE = [
    # what changed, story/where the process dies, change, interrupted, waiting, completed
    Row("nothing", "shop/pay", unchanged, ON, WAITS, READ),
    # Tools.
    Row("tool removed", "shop/pay", without("pay"), PAY, PAY, READ),
    Row("tool renamed", "shop/pay", renamed, PAY, PAY, READ),
    Row("tool added", "shop/pay", added_in_front, ON, WAITS, READ),
    Row("tools in another order", "shop/pay", reversed_tools, ON, WAITS, READ),
    Row("another tool removed, answered before", "shop/pay", without("look"), ON, WAITS, READ),
    Row("one tool of two removed", "both/pay", without("pay"), PAY, PAY, READ),
    Row("parameter added, optional", "shop/pay", optional_parameter, ON, WAITS, READ),
    Row("parameter added, required", "shop/pay", required_parameter, PAY, WAITS, READ, undone=("pay",)),
    Row("parameter renamed", "shop/pay", parameter("number", int), PAY, PAY, READ),
    Row("parameter renamed, optional", "shop/pay", parameter("number", int, 0), PAY, PAY, READ),
    Row("parameter removed", "shop/pay", parameter("", None), PAY, PAY, READ),
    Row("parameter of a type that takes it for another value", "shop/pay", parameter("order", bool), PAY, PAY, READ),
    Row("parameter of a wider type", "shop/pay", parameter("order", float), ON, WAITS, READ),
    Row("the same, failures raised", "shop/pay", required_and_raising, PAY, PAY, READ),
    Row("async tool became plain", "shop/pay", plain_function, ON, WAITS, READ),
    Row("tool needs approval now", "shop/pay", asks_now, ON, WAITS, READ),
    Row("tool needs no approval now", "shop/pay", asks_no_more, ON, WAITS, READ),
    Row("on_uncertain changed", "shop/pay", runs_once, ON, WAITS, READ),
    Row("description changed", "shop/pay", described_anew, ON, WAITS, READ),
    Row("tool moved to another agent", "shop/pay", moved_to_another_agent, PAY, PAY, READ),
    Row("tool became a handoff", "shop/pay", became_a_handoff, PAY, PAY, READ),
    Row("tool became a custom tool", "shop/pay", became_a_custom_tool, PAY, PAY, READ),
    Row("tool switched off", "shop/pay", disabled, PAY, PAY, READ),
    Row("tool switched off by a function", "shop/pay", disabled_by_function, PAY, PAY, READ),
    Row("tool_use_behavior changed", "shop/pay", ends_with_tools, ON, WAITS, READ),
    Row("all tools removed", "both/look", no_tools, "refused look", PAY, READ),
    # Agents.
    Row("first agent renamed", "shop/pay", name("desk", "help"), "refused desk", "refused desk", READ),
    Row("instructions changed", "shop/pay", setting("desk", instructions="New."), ON, WAITS, READ),
    Row("instructions became a function", "shop/pay", setting("desk", instructions=lambda c, a: "New."), ON, WAITS, READ),
    Row("settings changed", "shop/pay", setting("desk", model_settings=ModelSettings(temperature=0.5)), ON, WAITS, READ),
    Row("model changed", "shop/pay", another_model, ON, WAITS, READ),
    Row("the model changed while it was asked", "shop/model", another_model, ON, WAITS, READ),
    # Handoffs.
    Row("agent handed off to removed", "billing/refund", no_handoff, "refused billing", "refused billing", READ),
    Row("agent handed off to renamed", "billing/refund", name("billing", "accounts"), "refused billing", "refused billing", READ),
    Row("its tool removed", "billing/refund", no_refund, REFUND, REFUND, READ),
    Row("handoff removed behind the run", "billing/refund", handoff_tool_renamed, ON, WAITS, READ),
    Row("handoff removed in the middle", "billing/leave", no_handoff, "refused transfer_to_billing", "refused billing", READ, dying_handoff),
    Row("handoff's tool renamed", "billing/leave", handoff_tool_renamed, "refused transfer_to_billing", WAITS, READ, dying_handoff),
    Row("its agent renamed", "billing/leave", name("billing", "accounts"), "refused transfer_to_billing", "refused billing", READ, dying_handoff),
    Row("its agent renamed, its tool not", "billing/leave", handoff_kept_by_name, ON, "refused billing", READ, dying_handoff),
    Row("handoff added", "shop/pay", handoff_added, ON, WAITS, READ),
    # Guardrails of the input.
    Row("guardrail removed, not asked yet", "shop/polite", guards(), "refused polite", WAITS, READ),
    Row("guardrail renamed", "shop/polite", guards("kind"), "refused polite", WAITS, READ),
    Row("guardrail removed, passed before", "shop/pay", guards(), ON, WAITS, READ),
    Row("guardrail added", "shop/polite", guards("polite", "new"), ON, WAITS, READ, undone=("new",)),
    Row("guardrail put in front", "shop/polite", guards("new", "polite"), ON, WAITS, READ, undone=("new",)),
    Row("guardrails in another order", "shop/two", guards("two", "polite"), ON, WAITS, READ, guards("polite", "two")),
    Row("one of two of one name removed", "shop/two", guards("two"), "refused two", WAITS, READ, guards("two", "two")),
    Row("blocking guardrail became parallel", "shop/polite", guards("polite", parallel=True), ON, WAITS, READ),
    Row("parallel guardrail became blocking", "shop/polite", guards("polite"), ON, WAITS, READ, guards("polite", parallel=True)),
    # Guardrails of the output.
    Row("output guardrail removed, not asked yet", "shop/short", checks(), "refused short", WAITS, READ, undone=("short",)),
    Row("output guardrail renamed", "shop/short", checks("brief"), "refused short", WAITS, READ, undone=("short",)),
    Row("output guardrail put in front", "shop/short", checks("new", "short"), ON, WAITS, READ),
    Row("output guardrail added before the end", "shop/pay", checks("short", "new"), ON, WAITS, READ),
    Row("first output guardrail added", "shop/pay", checks("new"), ON, WAITS, READ, checks()),
    Row("output guardrail removed before the end", "shop/pay", checks(), ON, WAITS, READ, undone=("short",)),
    # The type of the output.
    Row("output type removed", "shop/short", typed(None), "refused Order", WAITS, JSON, typed(Order)),
    Row("output type changed", "shop/short", typed(Customer, '{"customer": "x"}'), "refused Order", WAITS, JSON, typed(Order)),
    Row("output type changed, and fits", "shop/short", typed(Place), ON, WAITS, READ, typed(Order)),
    Row("output type renamed", "shop/short", typed(Bill), ON, WAITS, READ, typed(Order)),
    Row("output type added", "shop/short", typed(Order), ON, WAITS, READ),
    Row("output type removed, output not looked at", "shop/ending", typed(None), "refused Order", WAITS, JSON, typed_and_heard),
    Row("output type changed, output not looked at", "shop/ending", typed(Customer, '{"customer": "x"}'), "refused Order", WAITS, JSON, typed_and_heard),
    Row("output type added, output not looked at", "shop/ending", typed(Order), "refused plain text", WAITS, READ, hooks_given),
    Row("output type changed before the end", "shop/pay", typed(Customer, '{"customer": "x"}'), ON, WAITS, JSON, typed(Order)),
    # What surrounds the run.
    Row("hooks added", "shop/pay", hooks_given, ON, WAITS, READ),
    Row("hooks removed", "shop/pay", no_hooks, ON, WAITS, READ, hooks_given, ("ending",)),
    # Agents that are tools.
    Row("agent tool removed", "clerk/stamp", no_clerk, "refused clerk", "refused clerk", READ),
    Row("agent tool became a function", "clerk/stamp", clerk_is_a_function, "refused clerk", "refused clerk", READ),
    Row("its agent renamed", "clerk/stamp", name("clerk", "scribe"), "refused clerk", "refused clerk", READ),
    Row("its agent's tool removed", "clerk/stamp", no_inner_tools, STAMP, STAMP, READ),
    Row("its agent's instructions changed", "clerk/stamp", setting("clerk", instructions="New."), ON, WAITS, READ),
]  # fmt: skip


PAGE = Path(__file__).parents[2] / "docs/explanation/changed-programs.md"


def as_read(cell: str) -> str:
    """A cell in the words of the page."""
    kind, _, missing = cell.partition(" ")
    return f"refused: `{missing}`" if kind == "refused" else cell


def table_for_readers() -> str:
    lines = ["| what changed | interrupted | waiting | completed |", "|---|---|---|---|"]
    for row in TABLE:
        cells = map(as_read, (row.interrupted, row.waiting, row.completed))
        lines.append(f"| {row.what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_page_for_readers_has_this_table():
    text = PAGE.read_text("utf-8")
    assert (
        text.partition("<!-- table: begin -->\n")[2].partition("\n<!-- table: end -->")[0]
        == table_for_readers()
    )


# --- What holds for each cell. -----------------------------------------------------------


def case_of(row: Row, *, asks: bool = False) -> Case:
    return Case(row.scene.partition("/")[0], row.first, asks=asks)


async def what_the_first_version_does(row: Row) -> tuple[Any, Any]:
    """What the first version does where nothing disturbs it, and its output."""
    case = case_of(row)
    result = await case.begin()
    return case.world.did, result.final_output


async def assert_refused(case: Case, row: Row, missing: str) -> None:
    before, status = await case.log(), await case.status()
    with pytest.raises(IncompatibleRun, match="the program changed") as refused:
        await case.go_on(row.change)
    assert missing in str(refused.value)
    assert refused.value.missing in missing
    assert refused.value.run_id.startswith("r")
    assert await case.log() == before
    assert await case.status() == status == (status[0], False)


def assert_done_once(case: Case, row: Row, first: Any) -> None:
    """Everything was done once, but for what the new version does not do."""
    wanted = {what: 0 if what in row.undone else count for what, count in first.items()}
    assert {what: case.world.did[what] for what in wanted} == wanted
    assert not any(case.world.did[what] for what in row.undone)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
async def test_a_run_that_was_interrupted(row: Row):
    first, output = await what_the_first_version_does(row)
    case = case_of(row)
    await case.begin(dies_at=row.scene.partition("/")[2])
    kind, _, missing = row.interrupted.partition(" ")

    if kind == "refused":
        await assert_refused(case, row, missing)
        result = await case.go_on()
        assert result.final_output == output
        models = case.world.did.pop("model"), first.pop("model")
        assert models[0] == models[1]
        assert case.world.did == first
    else:
        result = await case.go_on(row.change)
        assert result.final_output is not None
        assert_done_once(case, row, first)
    assert (await case.status())[0] == "completed"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
async def test_a_run_that_waits_for_a_person(row: Row):
    first, output = await what_the_first_version_does(row)
    case = case_of(row, asks=True)
    assert (await case.begin()).interruptions
    kind, _, missing = row.waiting.partition(" ")

    if kind == "refused":
        await assert_refused(case, row, missing)
        result = await case.approve(await case.go_on())
        assert result.final_output == output
        assert case.world.did == first
    else:
        waiting = await case.go_on(row.change)
        assert [item.tool_name for item in waiting.interruptions] == [LAST[case.story]]
        assert (await case.status()) == ("waiting", False)
        result = await case.approve(waiting, row.change)
        assert result.final_output is not None
        assert_done_once(case, row, first)
    assert (await case.status())[0] == "completed"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
async def test_a_run_that_has_ended(row: Row, caplog: pytest.LogCaptureFixture):
    case = case_of(row)
    output = (await case.begin()).final_output
    before, did, told = await case.log(), case.world.did.copy(), case.world.told.copy()

    result = await case.go_on(row.change)

    is_json = row.completed == "read json"
    wanted = output.model_dump() if is_json else output
    found = result.final_output
    assert found == wanted or found.model_dump(exclude_none=True) == wanted.model_dump()
    assert ("the program changed" in caplog.text.lower()) == is_json
    assert result.last_agent.name == ("billing" if case.story == "billing" else "desk")
    assert len(result.new_items) > 2
    assert result.input_guardrail_results
    assert (await case.log(), case.world.did, case.world.told) == (before, did, told)


# --- States that a caller hands over. ----------------------------------------------------


def two_tools() -> tuple[Agent[Any], list[str]]:
    done: list[str] = []

    @function_tool(needs_approval=True)
    def pay() -> str:
        done.append("pay")
        return "paid"

    calls = [function_call("pay", {}, call_id="1")]
    script = [calls, [assistant_message("ok")]]
    return Agent(name="desk", tools=[pay], model=ScriptedModel(script)), done


async def test_a_state_whose_tool_is_gone_is_refused_and_goes_on_once_it_is_back():
    agent, done = two_tools()
    state = (await Runner.run(agent, "pay")).to_state()
    state.approve(state.get_interruptions()[0])
    tools, agent.tools = agent.tools, []
    with pytest.raises(
        ModelBehaviorError, match=r"Tool pay not found in agent desk\..*changed"
    ) as error:
        await Runner.run(agent, state)
    assert isinstance(error.value, IncompatibleRun)
    agent.tools = tools
    assert (await Runner.run(agent, state)).final_output == "ok"
    assert done == ["pay"]


async def test_a_state_whose_tool_is_gone_tells_the_model_where_the_run_wants_that():
    agent, done = two_tools()
    state = (await Runner.run(agent, "pay")).to_state()
    state.approve(state.get_interruptions()[0])
    agent.tools = []
    config = RunConfig(tool_not_found_behavior="return_error_to_model")
    result = await Runner.run(agent, state, run_config=config)
    assert (result.final_output, done) == ("ok", [])
