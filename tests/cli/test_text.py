"""What is stored cannot drive the terminal."""

import pytest

from outlast.cli.text import lines, plain, short


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x9b2J", "\\x9b2J"),
        ("tab\there", "tab\\x09here"),
        ("abc\u202edef", "abc\\u202edef"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("half \ud800", "half \\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("Grüße, 世界 …", "Grüße, 世界 …"),
        (17, "17"),
    ],
)
def test_control_and_invisible_characters_are_spelled_out(given, shown):
    assert plain(given) == shown


def test_lines_keep_line_breaks_and_nothing_else():
    assert lines("one\r\ntwo\x1b\nthree") == ["one", "two\\x1b", "three"]


def test_short_text_is_one_line_of_at_most_so_many_characters():
    assert short("a  b\n c", 10) == "a b c"
    assert short("abcdefghij", 5) == "abcd…"
    assert short("ab", 0) == "…"
