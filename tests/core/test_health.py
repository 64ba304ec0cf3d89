"""The circuit breaker and the pacing as pure functions: for any history, and for any clock."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from outlast.calls.health import (
    Asked,
    Circuit,
    CircuitBreaker,
    CircuitEvent,
    Dropped,
    Failed,
    Pace,
    Pacing,
    Slot,
    Succeeded,
    circuit_after,
    earliest,
    with_call,
    with_tokens,
)

RULES = CircuitBreaker(failures=3, window_s=60, cooldown_s=10, max_cooldown_s=40, probe_s=30)
NOW = 1_800_000_000.0

callers = st.sampled_from(["a", "b", "c"])
circuit_events = st.one_of(
    st.builds(Asked, callers),
    st.builds(Succeeded, callers),
    st.builds(Failed, callers, st.floats(0, 1000)),
    st.builds(Dropped, callers),
)
steps = st.lists(st.tuples(circuit_events, st.floats(0, 50)), max_size=60)
jumps = st.lists(st.tuples(circuit_events, st.floats(-1e9, 1e9)), max_size=60)


CLOSED = Circuit()


def after(*events: tuple[CircuitEvent, float], circuit: Circuit = CLOSED) -> Circuit:
    for event, at in events:
        circuit = circuit_after(circuit, event, NOW + at, RULES)
    return circuit


def opened(at: float = 0.0) -> Circuit:
    return after(*[(Failed("a"), at)] * 3)


# --- Any history. ------------------------------------------------------------------------


@given(steps)
def test_at_most_one_caller_is_let_through_a_circuit_that_is_not_closed(history: list[tuple]):
    circuit, now = Circuit(), NOW
    for event, pause in history:
        now += pause
        circuit = circuit_after(circuit, event, now, RULES)
        admitted = [by for by in ("a", "b", "c") if circuit.admits(by)]
        assert len(admitted) == 3 if circuit.name == "closed" else len(admitted) <= 1


@given(steps)
def test_a_probe_is_replaced_only_after_its_lease(history: list[tuple]):
    circuit, now, since = Circuit(), NOW, 0.0
    for event, pause in history:
        now += pause
        before, circuit = circuit, circuit_after(circuit, event, now, RULES)
        if before.probe and circuit.probe not in ("", before.probe):
            assert now - since >= RULES.probe_s
        if circuit.probe and isinstance(event, Asked) and event.by == circuit.probe:
            since = now


@given(jumps)
def test_no_clock_wedges_a_circuit(history: list[tuple]):
    circuit, now = Circuit(), NOW
    for event, jump in history:
        now += jump
        circuit = circuit_after(circuit, event, now, RULES)
    # Wherever the clock ends, somebody is let through after the longest time that there is.
    circuit_after(circuit, Asked("x"), now, RULES)
    late = circuit_after(circuit, Asked("x"), now + RULES.max_cooldown_s + RULES.probe_s, RULES)
    assert late.admits("x")


@given(steps)
def test_only_a_row_of_failures_opens_a_circuit(history: list[tuple]):
    circuit, now, row = Circuit(), NOW, 0
    for event, pause in history:
        now += pause
        was_closed = circuit.name == "closed"
        circuit = circuit_after(circuit, event, now, RULES)
        row = row + 1 if isinstance(event, Failed) else 0 if isinstance(event, Succeeded) else row
        if was_closed and circuit.name != "closed":
            assert row >= RULES.failures


@given(steps)
def test_a_circuit_says_that_nothing_changed_by_being_the_same(history: list[tuple]):
    circuit, now = Circuit(), NOW
    for event, pause in history:
        now += pause
        before, circuit = circuit, circuit_after(circuit, event, now, RULES)
        assert circuit is before or circuit != before or isinstance(event, Asked | Dropped | Failed)


# --- The states. -------------------------------------------------------------------------


def test_failures_in_a_row_open_it():
    assert after((Failed("a"), 0), (Failed("b"), 1)).name == "closed"
    assert opened().name == "open"
    assert not opened().admits("a")


def test_a_success_ends_the_row():
    row = [(Failed("a"), 0.0), (Failed("a"), 1.0)]
    assert after(*row, (Succeeded("a"), 2.0), *row) == after(*row)


def test_failures_outside_of_the_window_do_not_count():
    circuit = after((Failed("a"), 0), (Failed("a"), 1), (Failed("a"), 61))
    assert (circuit.name, circuit.failures, circuit.since) == ("closed", 1, NOW + 61)


def test_it_stays_open_for_its_time_and_then_lets_one_call_through():
    assert after((Asked("b"), 9.9), circuit=opened()).name == "open"
    probed = after((Asked("b"), 10.0), (Asked("c"), 10.0), circuit=opened())
    assert probed.name == "half-open"
    assert [probed.admits(by) for by in "abc"] == [False, True, False]


def test_the_probe_decides():
    probed = after((Asked("b"), 10), circuit=opened())
    assert after((Succeeded("b"), 11), circuit=probed) == Circuit()
    again = after((Failed("b"), 11), circuit=probed)
    assert (again.name, again.until, again.since) == ("open", NOW + 11 + 20, NOW)


def test_what_began_before_it_opened_changes_nothing():
    probed = after((Asked("b"), 10), circuit=opened())
    for circuit in (opened(), probed):
        for event in (Succeeded("c"), Failed("c"), Dropped("c")):
            assert after((event, 11), circuit=circuit) is circuit


def test_a_dropped_probe_makes_room_at_once():
    probed = after((Asked("b"), 10), (Dropped("b"), 11), circuit=opened())
    assert after((Asked("c"), 11), circuit=probed).admits("c")


def test_a_vanished_probe_makes_room_after_its_lease():
    probed = after((Asked("b"), 10), circuit=opened())
    assert not after((Asked("c"), 39), circuit=probed).admits("c")
    assert after((Asked("c"), 40), circuit=probed).admits("c")


def test_the_same_call_in_another_process_keeps_its_probe():
    assert after((Asked("b"), 10), (Asked("b"), 12), circuit=opened()).admits("b")


def test_the_time_doubles_up_to_its_limit():
    circuit, at = opened(), 0.0
    pauses: list[float] = []
    for _ in range(40):
        pauses.append(circuit.until - NOW - at)
        at = circuit.until - NOW
        circuit = after((Asked("b"), at), (Failed("b"), at), circuit=circuit)
    assert pauses[:4] == [10, 20, 40, 40]
    assert max(pauses) == 40


@pytest.mark.parametrize(("wish", "pause"), [(0, 10), (5, 10), (25, 25), (1e12, 40)])
def test_what_the_provider_asks_for_counts_up_to_the_limit(wish: float, pause: float):
    circuit = after((Failed("a"), 0), (Failed("a"), 0), (Failed("a", wish), 0))
    assert circuit.until == NOW + pause


@pytest.mark.parametrize("jump", [-1e9, -3600.0, 1e9])
def test_a_moment_that_no_clock_can_have_meant_is_past(jump: float):
    assert after((Asked("b"), 0.0), circuit=opened(at=jump)).admits("b")


@pytest.mark.parametrize(
    "name", ["failures", "window_s", "cooldown_s", "max_cooldown_s", "probe_s"]
)
def test_rules_that_mean_nothing_are_refused(name: str):
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=name):
            CircuitBreaker(**{name: wrong})


# --- Pace. -------------------------------------------------------------------------------

arrivals = st.lists(
    st.tuples(st.floats(0, 20), st.integers(0, 500)), min_size=1, max_size=80
)  # fmt: skip
limits = st.builds(
    Pacing,
    requests_per_minute=st.integers(1, 12),
    tokens_per_minute=st.none() | st.integers(1, 2000),
    max_wait_s=st.just(1e6),
)


def paced(calls: list[tuple[float, int]], pacing: Pacing) -> list[tuple[float, float, int]]:
    """When each call comes, when it begins, and its tokens."""
    pace, now, begun = Pace(), NOW, []
    for pause, tokens in calls:
        now += pause
        at = earliest(pace, tokens, now, pacing)
        pace = with_call(pace, tokens, at, now, pacing)
        begun.append((now, at, tokens))
    return begun


@settings(max_examples=200)
@given(arrivals, limits)
def test_no_minute_has_more_calls_or_tokens_than_its_limit(calls: list[tuple], pacing: Pacing):
    begun = paced(calls, pacing)
    for n, (_, start, _) in enumerate(begun):
        minute = [(at, tokens) for _, at, tokens in begun[n:] if at - start < 60]
        assert len(minute) <= (pacing.requests_per_minute or 0)
        taken = sum(tokens for _, tokens in minute)
        # One that is larger than the limit has its minute for itself.
        is_alone = sum(1 for _, tokens in minute if tokens) <= 1
        assert pacing.tokens_per_minute is None or taken <= pacing.tokens_per_minute or is_alone


@given(arrivals, limits)
def test_calls_begin_in_the_order_in_which_they_come_and_never_early(
    calls: list[tuple], pacing: Pacing
):
    begun = paced(calls, pacing)
    assert all(at >= now for now, at, _ in begun)
    starts = [int(at) for _, at, _ in begun]
    assert starts == sorted(starts)


def test_a_call_begins_at_once_where_there_is_room():
    pacing = Pacing(requests_per_minute=2)
    assert [at - now for now, at, _ in paced([(0, 0)] * 3, pacing)] == [0, 0, 61]


@pytest.mark.parametrize("jump", [-1e6, -3600.0, 3600.0, 1e9])
def test_turns_of_a_clock_that_was_wrong_do_not_count(jump: float):
    pacing = Pacing(requests_per_minute=1)
    pace = with_call(Pace(), 0, NOW + jump, NOW + jump, pacing)
    assert earliest(pace, 0, NOW, pacing) == NOW


def test_what_a_call_took_replaces_what_it_was_thought_to_take():
    pacing = Pacing(tokens_per_minute=100)
    pace = with_call(Pace(), 10, NOW, NOW, pacing)
    assert with_tokens(pace, 40, NOW).slots == (Slot(int(NOW), 1, 50),)
    assert with_tokens(pace, -40, NOW).slots == (Slot(int(NOW), 1, 0),)
    assert with_tokens(pace, 40, NOW - 100).slots == pace.slots


def test_the_rate_is_that_of_the_last_minute():
    pacing = Pacing(requests_per_minute=9)
    pace = Pace()
    for at in (0, 30, 30, 59):
        pace = with_call(pace, 5, NOW + at, NOW + at, pacing)
    assert [pace.rate(NOW + at) for at in (60, 95)] == [(4, 20), (1, 5)]
