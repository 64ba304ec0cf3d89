"""A write to a session that was in doubt is made once, whoever has written in between."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from outlast.effects.session_marks import Writer, held_of, mark_of, place_behind, unclaimed

OURS = st.lists(
    st.one_of(
        st.sampled_from("ab").map(lambda text: {"role": "user", "content": text}),
        st.integers(0, 2).map(
            lambda n: {
                "type": "function_call",
                "call_id": f"c{n}",
                "name": "look",
                "arguments": "{}",
            }
        ),
    ),
    max_size=5,
)
THEIRS = st.lists(st.sampled_from("xy"), max_size=4).map(
    lambda texts: [{"role": "user", "content": f"theirs {text}"} for text in texts]
)
FEW = settings(max_examples=400, deadline=None)


def mixed(data: Any, ours: list[Any], theirs: list[Any]) -> list[Any]:
    """The items of two writers, each in their order, as it may happen."""
    places = data.draw(st.permutations([True] * len(ours) + [False] * len(theirs)))
    one, other = iter(ours), iter(theirs)
    return [next(one) if is_ours else next(other) for is_ours in places]


@FEW
@given(OURS, OURS, OURS, THEIRS, st.booleans(), st.data())
def test_what_was_written_is_found_behind_any_history_and_among_what_others_wrote(
    history: list[Any],
    written: list[Any],
    batch: list[Any],
    theirs: list[Any],
    is_counted: bool,
    data: Any,
):
    arrived = data.draw(st.integers(0, len(batch)))
    behind = mixed(data, [*written, *batch[:arrived]], theirs)
    held = len(history) if is_counted else None
    session = [*history, *behind]
    place = place_behind(session, held, mark_of(history))
    if is_counted:
        assert place == len(history)
    found = held_of(batch, unclaimed(len(history), session, written, []))
    assert found == arrived
    assert [*written, *batch[:found], *batch[found:]] == [*written, *batch]


@FEW
@given(THEIRS, OURS, THEIRS, st.data())
def test_a_history_of_which_only_the_end_was_read_is_found_again(
    history: list[Any], batch: list[Any], theirs: list[Any], data: Any
):
    history = [{**item, "content": f"{n}: {item['content']}"} for n, item in enumerate(history)]
    session = [*history, *mixed(data, batch, theirs)]
    assert place_behind(session, None, mark_of(history[-2:])) == len(history)


@FEW
@given(OURS, OURS)
def test_a_session_that_was_emptied_meanwhile_is_all_new(history: list[Any], batch: list[Any]):
    start = [{"role": "user", "content": "gone"}]
    assert place_behind(batch, len(history) + 1, mark_of([*history, *start])) == 0
    assert held_of(batch, unclaimed(0, batch, [], [])) == len(batch)


BATCHES = st.lists(st.sampled_from("ab"), min_size=1, max_size=2).map(
    lambda texts: [{"role": "user", "content": text} for text in texts]
)


ACTS = st.lists(st.tuples(st.integers(0, 3), BATCHES), min_size=1, max_size=16)


@FEW
@given(ACTS, st.integers(0, 15), BATCHES, st.integers(0, 2))
def test_what_other_runs_wrote_is_never_taken_for_the_write_in_doubt(
    acts: list[tuple[int, list[Any]]], death: int, batch: list[Any], arrived: int
):
    """Runs of equal words read the session at their first act, and write at each later one."""
    session: list[Any] = []
    runs: dict[int, Writer] = {}
    dead = acts[min(death, len(acts) - 1)][0]
    for n, (run, items) in enumerate(acts):
        if run not in runs:
            runs[run] = Writer(len(session), mark_of(session), [])
        elif run != dead or n < death:
            runs[run] = runs[run]._replace(written=[*runs[run].written, *items])
            session += items
        if n == min(death, len(acts) - 1):
            session += batch[:arrived]
    own = runs.pop(dead)
    place = place_behind(session, own.held, own.mark)
    stranger = Writer(0, (), [*batch, {"role": "user", "content": "to another store"}])
    others = [stranger, *runs.values()]
    spare = unclaimed(place, session, own.written, others)
    assert held_of(batch, spare) == min(arrived, len(batch))
