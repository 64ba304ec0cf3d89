"""Commands that other commands print work when they are typed."""

from __future__ import annotations

import pytest

from outlast.cli.running import how_to_go_on


@pytest.mark.parametrize(
    ("run_id", "typed"),
    [
        ("r", "outlast resume r --agent FILE[:AGENT]"),
        ("-x", "outlast resume --agent FILE[:AGENT] -- -x"),
    ],
)
def test_an_id_that_begins_with_a_dash_stands_behind_the_options(run_id: str, typed: str):
    assert how_to_go_on(run_id, "") == typed
