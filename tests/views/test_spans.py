"""The spans of a run, made from its log alone."""

from __future__ import annotations

from any_log import ANY_LOG, stored
from hypothesis import given, settings
from logs_by_hand import answer, begun, call_item, ending, log_of, opening, reply, user

from outlast.core.events import (
    ErrorFacts,
    HandedOff,
    RunAcquired,
    RunFailed,
    RunStarted,
    TurnPrepared,
)
from outlast.views.spans import RunIds, spans
from outlast.views.steps import timeline


def tree(log, **options):
    """Return kind, name and depth of each span."""
    found = spans("r", timeline(log), **options)
    depths = {"": -1}
    for span in found:
        depths[span.id] = depths[span.parent] + 1
    return [f"{'  ' * depths[span.id]}{span.kind} {span.name}" for span in found]


def crashed():
    second = [RunAcquired(owner="b"), begun("t1.b", "pay", 2), answer("t1.b", "b", "paid")]
    return log_of(opening(), [*second, *ending()])


def test_a_run_is_a_tree_of_agents_turns_and_calls():
    assert tree(log_of([*opening(), answer("t1.b", "b", "paid"), *ending()])) == [
        "task Agent workflow",
        "  agent desk",
        "    turn turn 1",
        "      generation model",
        "      function look",
        "      function pay",
        "    turn turn 2",
        "      generation model",
    ]


def test_an_agent_that_hands_off_ends_where_the_next_begins():
    log = log_of(
        [
            RunStarted(agent="a", input=[user("hi")]),
            TurnPrepared(id="p1", agent="a"),
            *reply(1, "a", call_item("h", "to_b"), kind="handoff"),
            HandedOff(id="h1.h", call_id="h", source="a", to="b", item={}),
            TurnPrepared(id="p2", agent="b"),
            *reply(2, "b"),
        ]
    )
    assert [line for line in tree(log, has_turns=False) if "agent" in line] == [
        "agent a",
        "agent b",
    ]
    first, second = (span for span in spans("r", timeline(log)) if span.kind == "agent")
    assert first.ended_at == second.started_at
    handoff = next(span for span in spans("r", timeline(log)) if span.kind == "handoff")
    assert handoff.data == {"from_agent": "a", "to_agent": "b"}


def test_a_call_that_a_dead_process_left_is_a_span_that_says_so_and_its_retry_another():
    found = [span for span in spans("r", timeline(crashed())) if span.name == "pay"]
    doubt, retry = found
    assert "process ended" in doubt.error
    assert (doubt.epoch, retry.epoch, retry.error) == (1, 2, "")
    assert doubt.id != retry.id
    assert doubt.ended_at is not None


def test_the_ids_of_spans_do_not_change_when_the_run_goes_on():
    log = crashed()
    whole = {span.id for span in spans("r", timeline(log))}
    for end in range(len(log)):
        assert {span.id for span in spans("r", timeline(log[:end]))} <= whole


def test_ids_tell_runs_of_one_name_in_two_journals_apart():
    one, other = RunIds("r", "a1"), RunIds("r", "b2")
    assert one.trace() != other.trace()
    assert one.effect("m1", 1) != other.effect("m1", 1)
    assert one.effect("m1", 1) != one.effect("m1", 2) != one.effect("m1", 2, 1)


def test_what_a_run_failed_of_stands_on_its_last_agent_and_is_left_out_where_data_is():
    error = ErrorFacts("ValueError", "secret")
    log = log_of([*opening(), RunFailed(error)])
    agent = next(span for span in spans("r", timeline(log)) if span.kind == "agent")
    assert (agent.error, agent.error_data) == ("Error in agent run", {"error": "secret"})
    assert "secret" not in str(spans("r", timeline(log), has_data=False))
    assert "order" not in str(spans("r", timeline(log), has_data=False))


@settings(max_examples=150, deadline=None)
@given(ANY_LOG)
def test_every_prefix_of_any_log_is_a_tree(events):
    log = stored(events)
    for end in range(0, len(log) + 1, max(1, len(log) // 12)):
        known = {""}
        for span in spans("r", timeline(log[:end])):
            assert span.parent in known
            assert span.ended_at is None or span.ended_at >= span.started_at
            known.add(span.id)
