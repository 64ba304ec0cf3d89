"""Steps are read from a log alone: who performed them, and where a process died."""

from logs_by_hand import answer, begun, call_item, ending, log_of, opening, reply, said, user

from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    Call,
    ChildStarted,
    EffectFailed,
    EffectStarted,
    ErrorFacts,
    GuardrailChecked,
    GuardrailNames,
    HandedOff,
    ModelReplied,
    RunAcquired,
    RunFailed,
    RunPaused,
    RunStarted,
    RunUnpaused,
    SessionLoaded,
    SessionSaved,
    TurnPrepared,
)
from outlast.views.steps import timeline
from outlast.views.timeline import Takeover


def kinds(view):
    return [(step.id, step.outcome) for step in view.steps]


def takeovers(view):
    return [row for row in view.rows if isinstance(row, Takeover)]


def test_an_empty_log_has_no_steps():
    view = timeline([])
    assert (view.status, view.rows) == ("empty", ())


def test_a_run_of_one_process_has_its_steps_in_the_order_they_began():
    view = timeline(log_of([*opening(), answer("t1.b", "b", "paid"), *ending()]))
    assert kinds(view) == [("m1", "ok"), ("t1.a", "ok"), ("t1.b", "ok"), ("m2", "ok")]
    assert view.status == "completed"
    assert (view.input, view.output) == ("pay 7", "Paid.")
    assert not takeovers(view)
    assert not any(view.is_reused(step) for step in view.steps)


def test_a_step_says_what_it_was_and_took():
    view = timeline(log_of([*opening(), answer("t1.b", "b", "paid")]))
    model, look, _ = view.steps
    assert (model.detail, model.usage.total_tokens, model.duration_s) == ("→ look, pay", 10, 1.0)
    assert (look.name, look.detail, look.duration_s) == ("look", "order=7 → found", 2.0)


def test_a_crash_leaves_a_step_in_doubt_that_another_process_retries():
    second = [RunAcquired(owner="b"), begun("t1.b", "pay", 2), answer("t1.b", "b", "paid")]
    view = timeline(log_of(opening(), [*second, *ending()]))
    assert kinds(view) == [
        ("m1", "ok"),
        ("t1.a", "ok"),
        ("t1.b", "in doubt"),
        ("t1.b", "ok"),
        ("m2", "ok"),
    ]
    (crash,) = takeovers(view)
    assert crash.was_crash
    assert crash.gap_s == 1.0
    assert crash.owner == "b"
    assert str(crash) == "2 steps reused, 1 in doubt retried with the same key"
    assert [step.id for step in view.steps if view.is_reused(step)] == ["m1", "t1.a"]
    assert view.steps[3].same_key
    assert view.steps[3].attempt == 2


def test_a_retry_under_another_key_is_named():
    other = EffectStarted(id="t1.b", kind="tool", name="pay", attempt=2, key="another")
    view = timeline(log_of(opening(), [RunAcquired(owner="b"), other]))
    assert str(takeovers(view)[0]) == "2 steps reused, 1 in doubt retried with ANOTHER key"
    assert not view.steps[3].same_key


def test_a_once_step_in_doubt_is_not_run_again():
    told = answer("t1.b", "b", "unknown outcome", "pay", "unknown")
    view = timeline(log_of(opening("once"), [RunAcquired(owner="b"), told]))
    assert kinds(view)[2:] == [("t1.b", "in doubt"), ("t1.b", "unknown")]
    assert str(takeovers(view)[0]) == "2 steps reused, 1 in doubt not run again: the model was told"


def test_an_ask_step_in_doubt_waits_for_a_person():
    asked = ApprovalRequested(
        id="t1.b", call_id="b", agent="desk", name="pay", reason="in_doubt", number=1
    )
    view = timeline(log_of(opening("ask"), [RunAcquired(owner="b"), asked]))
    assert kinds(view)[2:] == [("t1.b", "in doubt"), ("approval /b", "waiting")]
    assert "a person is asked" in str(takeovers(view)[0])
    assert view.status == "waiting"


def test_a_crash_is_as_old_as_the_last_word_of_the_process_that_died():
    told = [RunPaused(), RunUnpaused()]
    second = [RunAcquired(owner="b"), begun("t1.b", "pay", 2), answer("t1.b", "b", "paid")]
    log = log_of([*opening(), *told], [*second, *ending()])
    (crash,) = takeovers(timeline(log))
    assert crash.was_crash
    assert crash.gap_s == 3.0


def test_a_crash_between_two_steps_has_nothing_in_doubt():
    first = [*opening(), answer("t1.b", "b", "paid")]
    view = timeline(log_of(first, [RunAcquired(owner="b"), *ending()]))
    (crash,) = takeovers(view)
    assert (crash.was_crash, str(crash)) == (True, "3 steps reused")


def test_two_crashes_are_two_lines():
    second = [RunAcquired(owner="b"), begun("t1.b", "pay", 2)]
    third = [RunAcquired(owner="c"), begun("t1.b", "pay", 3), answer("t1.b", "b", "paid")]
    view = timeline(log_of(opening(), second, third))
    assert [str(line) for line in takeovers(view)] == [
        "2 steps reused, 1 in doubt retried with the same key",
        "2 steps reused, 1 in doubt retried with the same key",
    ]
    assert kinds(view)[2:] == [("t1.b", "in doubt"), ("t1.b", "in doubt"), ("t1.b", "ok")]


def test_going_on_after_an_approval_is_not_a_crash():
    call = Call(id="a", name="pay", kind="function", index=0, approval="yes")
    waiting = [
        RunStarted(agent="desk", input=[user("pay")]),
        TurnPrepared(id="p1", agent="desk"),
        EffectStarted(id="m1", kind="model"),
        ModelReplied(id="m1", agent="desk", output=[call_item("a", "pay")], calls=(call,)),
        ApprovalRequested(id="t1.a", call_id="a", agent="desk", name="pay"),
    ]
    assert timeline(log_of(waiting)).status == "waiting"
    decided = ApprovalDecided(call_id="a", approved=True, agent="desk", name="pay")
    view = timeline(log_of(waiting, [RunAcquired(owner="b"), decided, begun("t1.a", "pay")]))
    assert kinds(view) == [("m1", "ok"), ("approval /a", "ok"), ("t1.a", "open")]
    assert not takeovers(view)[0].was_crash


def test_an_approved_call_that_nobody_has_begun_is_not_shown_as_performed():
    call = Call(id="a", name="pay", kind="function", index=0, approval="yes")
    waiting = [
        RunStarted(agent="desk", input=[user("pay")]),
        TurnPrepared(id="p1", agent="desk"),
        EffectStarted(id="m1", kind="model"),
        ModelReplied(id="m1", agent="desk", output=[call_item("a", "pay")], calls=(call,)),
        ApprovalRequested(id="t1.a", call_id="a", agent="desk", name="pay"),
    ]
    decided = ApprovalDecided(call_id="a", approved=True, agent="desk", name="pay", by="ada")
    later = [RunAcquired(owner="b"), begun("t1.a", "pay")]
    details = [
        next(row.detail for row in timeline(log).rows if row.id == "approval /a")
        for log in (log_of([*waiting, decided]), log_of([*waiting, decided], later))
    ]
    assert details == ["approved by ada, not begun", "approved by ada"]


def test_a_failed_effect_is_an_error_and_so_is_the_run():
    error = ErrorFacts("ValueError", "no")
    view = timeline(
        log_of(
            [
                RunStarted(agent="desk", input=[user("hi")]),
                TurnPrepared(id="p1", agent="desk"),
                EffectStarted(id="m1", kind="model"),
                EffectFailed(id="m1", error=error),
                RunFailed(error),
            ]
        )
    )
    assert kinds(view) == [("m1", "error")]
    assert (view.status, view.error) == ("failed", "ValueError: no")


def test_an_output_that_was_refused_is_not_what_the_run_came_to():
    *events, _ = ending()
    refused = RunFailed(ErrorFacts("OutputGuardrailTripwireTriggered", "refused"))
    view = timeline(log_of([*opening(), answer("t1.b", "b", "ok"), *events, refused]))
    assert (view.status, view.output) == ("failed", "")


def test_handoffs_guardrails_sessions_and_children_are_steps():
    child = ChildStarted(id="t2.x", run_id="run/x", agent="helper")
    view = timeline(
        log_of(
            [
                RunStarted(
                    agent="a", input=[user("hi")], guardrails=GuardrailNames(blocking=("g",))
                ),
                SessionLoaded(id="s0.load", head=[user("hi")], new=[]),
                SessionSaved(id="s0", upto=0),
                GuardrailChecked(id="g1.in.0", stage="input", name="g"),
                TurnPrepared(id="p1", agent="a"),
                *reply(1, "a", call_item("h", "to_b"), kind="handoff"),
                HandedOff(id="h1.h", call_id="h", source="a", to="b", item={}),
                TurnPrepared(id="p2", agent="b"),
                *reply(2, "b", call_item("x", "helper")),
                begun("t2.x", "helper"),
                child,
            ]
        )
    )
    assert [(s.id, s.kind, s.agent) for s in view.steps] == [
        ("s0.load", "session", "a"),
        ("s0", "session", "a"),
        ("g1.in.0", "guardrail", "a"),
        ("m1", "model", "a"),
        ("h1.h", "handoff", "a"),
        ("m2", "model", "b"),
        ("t2.x", "tool", "b"),
    ]
    assert view.steps[-1].child == "run/x"


def test_a_run_inside_a_run_that_asks_and_goes_on_stands_in_one_place():
    child = ChildStarted(id="t1.x", run_id="run/x", agent="helper")
    asked = [
        ApprovalRequested(
            id="t1.x", call_id=call, agent="helper", name="pay", reason="child", child="run/x"
        )
        for call in ("a", "b")
    ]
    waiting = [
        RunStarted(agent="desk", input=[user("pay")]),
        TurnPrepared(id="p1", agent="desk"),
        *reply(1, "desk", call_item("x", "helper")),
        begun("t1.x", "helper"),
        child,
        *asked,
    ]
    decided = [
        ApprovalDecided(
            call_id=each.call_id, approved=True, agent="helper", name="pay", child="run/x"
        )
        for each in asked
    ]
    again = [RunAcquired(owner="b"), *decided, begun("t1.x", "helper"), child]
    for log, place in ((log_of(waiting), 1), (log_of(waiting, again), -1)):
        steps = timeline(log).steps
        assert [step for step in steps if step.child] == [steps[place]]
        assert steps[place].kind == "tool"


def test_any_prefix_of_a_log_can_be_read():
    second = [RunAcquired(owner="b"), begun("t1.b", "pay", 2), answer("t1.b", "b", "paid")]
    whole = log_of(opening(), [*second, *ending()])
    counts = [len(timeline(whole[:n]).rows) for n in range(len(whole) + 1)]
    assert counts == sorted(counts)


def test_each_failed_attempt_of_a_model_is_a_step_with_the_wait_after_it():
    facts = ErrorFacts(kind="ModelUnavailable", message="No capacity.")
    events = [
        RunStarted(agent="Desk", input=[user("pay 7")]),
        TurnPrepared(id="p1", agent="Desk"),
        EffectStarted("m1", "model", "Desk"),
        EffectFailed("m1", facts, retry_at=5.5, model="first"),
        EffectStarted("m1", "model", "Desk", attempt=2),
        EffectFailed("m1", facts, retry_at=5.0, model="first", is_model_spent=True),
        EffectStarted("m1", "model", "Desk", attempt=3),
        ModelReplied("m1", "Desk", [said("Paid.")], model="second"),
    ]
    view = timeline(log_of(events))
    told = [(step.outcome, step.model, step.attempt, step.detail) for step in view.steps]
    assert told == [
        ("failed attempt", "first", 1, "ModelUnavailable, again after 2.5 s: No capacity."),
        ("failed attempt", "first", 2, "ModelUnavailable: No capacity."),
        ("ok", "second", 3, "Paid."),
    ]


def test_a_process_that_died_between_two_attempts_leaves_none_of_them_in_doubt():
    facts = ErrorFacts(kind="ModelRateLimited", message="Slow down.")
    first = [
        RunStarted(agent="Desk", input=[user("pay 7")]),
        TurnPrepared(id="p1", agent="Desk"),
        EffectStarted("m1", "model", "Desk"),
        EffectFailed("m1", facts, retry_at=60.0),
    ]
    view = timeline(
        log_of(first, [RunAcquired(owner="b"), EffectStarted("m1", "model", "Desk", attempt=2)])
    )
    assert kinds(view) == [("m1", "failed attempt"), ("m1", "open")]
    assert (takeovers(view)[0].settled, takeovers(view)[0].reused) == ({}, 0)
