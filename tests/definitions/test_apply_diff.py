"""V4A diffs: where they apply, and what they keep."""

from typing import Any

import pytest

from outlast.definitions.apply_diff import apply_diff


@pytest.mark.parametrize(
    ("text", "diff", "result"),
    [
        ("a\nb\nc", " a\n-b\n+B\n c", "a\nB\nc"),
        ("a\nb\n", "-b\n+B\n", "a\nB\n"),
        ("a\nb", "@@ nowhere\n a\n-b\n+B", "a\nB"),
        ("x\na\nx\na\n", "@@ x\n@@ x\n-a\n+A", "x\na\nx\nA\n"),
        ("a\nb\n", "@@\n+c\n*** End of File", "a\nb\nc\n"),
        ("a  \nb", " a\n-b\n+B", "a  \nB"),
        ("  a\nb", " a\n-b\n+B", "  a\nB"),
        ("a\r\nb\r\n", " a\n-b\n+c", "a\r\nc\r\n"),
        ("", "@@\r\n+a", "a\r\n"),
        ("a", "", "a"),
        ("a\nb\nc\nd", "@@ a\n-b\n+B\n@@ c\n-d\n+D\n*** End Patch\nrest", "a\nB\nc\nD"),
    ],
)
def test_a_change_is_made_where_its_context_is(text: str, diff: str, result: str):
    assert apply_diff(text, diff) == result


@pytest.mark.parametrize(
    ("text", "diff", "error"),
    [
        ("a\nb", "@@ no\n@@ way\n-b", "Invalid Anchor"),
        ("a", "@@\n", "Nothing in this section"),
        ("a", " b\n-c", "Invalid Context"),
        ("a", " b\n*** End of File", "Invalid EOF Context"),
        ("a", "*bad", "Invalid Line"),
        ("a\nb", " a\n*** End of File\n b", "Invalid Line"),
    ],
)
def test_a_diff_that_does_not_fit_says_why(text: str, diff: str, error: str):
    with pytest.raises(ValueError, match=error):
        apply_diff(text, diff)


def test_a_new_file_is_all_plusses():
    assert apply_diff("ignored", "+a\n+\n+b\n*** End Patch", mode="create") == "a\n\nb"
    assert apply_diff("", "+a\r\n+b", mode="create") == "a\r\nb"
    with pytest.raises(ValueError, match="Invalid Add File Line"):
        apply_diff("", "a", mode="create")


def test_what_a_diff_keeps_is_never_rewritten():
    lines: list[Any] = [f"line {n}  " for n in range(50)]
    text = "\n".join(lines)
    changed = apply_diff(text, " line 20\n-line 21\n+new\n line 22")
    assert changed == text.replace("line 21  ", "new")
