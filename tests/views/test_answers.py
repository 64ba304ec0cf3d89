"""What a tool answered, as people read it."""

import pytest

from outlast.views.words import answer_from

CASES = [
    ("fine", "fine"),
    ([{"type": "input_text", "text": "fine"}], "fine"),
    ({"type": "text", "text": "fine"}, "fine"),
    (
        [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "x"}],
        "a\n(image)",
    ),
    ([], "[]"),
    ({"a": 1}, '{"a": 1}'),
    ([{"type": "other"}], '[{"type": "other"}]'),
    ([["x"]], '[["x"]]'),
]


@pytest.mark.parametrize(("output", "said"), CASES)
def test_an_answer_is_its_text(output, said):
    assert answer_from(output) == said
