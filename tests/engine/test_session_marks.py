"""A write to a session that was in doubt is made once, whoever has written in between."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from outlast.effects.session_marks import held_of, mark_of, place_behind, rest_behind

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
    found = held_of(batch, written, session[len(history) :])
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
    assert held_of(batch, [], batch) == len(batch)


@FEW
@given(OURS, OURS, OURS, OURS, st.data())
def test_what_others_are_known_to_have_written_is_theirs_though_it_equals_ours(
    earlier: list[Any], written: list[Any], batch: list[Any], theirs: list[Any], data: Any
):
    arrived = data.draw(st.integers(0, len(batch)))
    between = theirs[: data.draw(st.integers(0, len(theirs)))]
    rest = rest_behind(theirs, between)
    session = [*earlier, *between, *mixed(data, [*written, *batch[:arrived]], rest)]
    behind = session[len(earlier) + len(between) :]
    assert rest == theirs[len(between) :]
    assert held_of(batch, written, behind, [rest]) == arrived
    elsewhere = [*theirs, {"role": "user", "content": "of another session"}]
    assert held_of(batch, written, behind, [elsewhere, rest]) == arrived
