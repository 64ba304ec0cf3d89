"""A state of a run that is complete begins another run: what the run came to stays what it was."""

from outlast import Agent, RunConfig, Runner, RunState, function_tool
from outlast.journal import MemoryJournal
from outlast.testing import ScriptedModel, assistant_message, function_call


async def test_a_state_taken_at_the_end_of_a_run_changes_nothing_of_it():
    paid: list[int] = []

    @function_tool
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    call = function_call("pay", {"amount": 5}, call_id="p")
    other = function_call("pay", {"amount": 5}, call_id="q")
    model = ScriptedModel(
        [[call], [assistant_message("done")], [other], [assistant_message("done again")]]
    )
    agent, config = Agent(name="A", tools=[pay], model=model), RunConfig(journal=MemoryJournal())
    first = await Runner.run(agent, "pay", run_config=config, run_id="order")
    state = await RunState.from_string(agent, first.to_state().to_string())
    second = await Runner.run(agent, state, run_config=config)
    assert second.run_id != "order"
    again = await Runner.run(agent, "pay", run_config=config, run_id="order")
    assert again.final_output == first.final_output == "done"
