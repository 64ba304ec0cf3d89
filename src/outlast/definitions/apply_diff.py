"""Apply a V4A diff, the patch format that models write, to the text of one file.

    diff ──parse──▶ sections ──locate──▶ edits at line numbers ──splice──▶ text

A section is a place (anchors, then context) and a change. Context is searched for from where the
section before ended: exactly, then without trailing blanks, then without any outer blanks. What is
kept is always the file's own line, so a lenient match never rewrites blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

ApplyDiffMode = Literal["default", "create"]

_END = ("*** End Patch", "*** Update File:", "*** Delete File:", "*** Add File:")
_END_OF_FILE = "*** End of File"


class InvalidDiff(ValueError):
    """A diff that is malformed or does not fit the file; the text tells the model what to repair."""


# The number of a line, and the text to put before it; None takes the line out.
Edit = tuple[int, str | None]


@dataclass
class Section:
    """One place in the file and what changes there."""

    anchors: list[str]
    context: list[str] = field(default_factory=list[str])
    """Kept and deleted lines, as they stand in the file."""
    edits: list[Edit] = field(default_factory=list[Edit])
    """With lines counted from where the context starts."""
    at_end: bool = False


def apply_diff(input: str, diff: str, mode: ApplyDiffMode = "default") -> str:
    """The text that ``diff`` makes of ``input``, with the line endings of ``input``.

    Args:
        input: The file's text. In mode "create" it is not looked at.
        diff: Sections of a V4A diff, without the envelope.
        mode: "create" for a new file: every line of the diff starts with a plus.

    Raises:
        ValueError: The diff is malformed, or its context is not in the file.
    """
    newline = _newline(input if mode == "default" and "\n" in input else diff)
    lines = diff.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    if mode == "create":
        return newline.join(_created(lines))
    if not lines:
        return input
    original = input.replace("\r\n", "\n").split("\n")
    edits: list[Edit] = []
    cursor = 0
    for section in _sections(lines):
        start = _located(original, section, cursor)
        cursor = start + len(section.context)
        edits += [(start + line, text) for line, text in section.edits]
    return newline.join(_spliced(original, edits))


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _is_end(line: str) -> bool:
    return line.startswith(_END) or line.strip() == "***"


def _created(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if _is_end(line):
            return
        if not line.startswith("+"):
            raise InvalidDiff(
                f"Invalid Add File Line: {line!r}. Each line of a new file starts with +."
            )
        yield line[1:]


def _sections(lines: Sequence[str]) -> Iterator[Section]:
    at = 0
    while at < len(lines) and not _is_end(lines[at]):
        start = at
        while at < len(lines) and (lines[at] == "@@" or lines[at].startswith("@@ ")):
            at += 1
        if 0 < start == at:
            raise InvalidDiff(f"Invalid Line: {lines[at]!r}. A further section starts with @@.")
        section = Section([line[3:] for line in lines[start:at]])
        at = _read_body(lines, at, section)
        if not section.context and not section.edits:
            raise InvalidDiff(f"Nothing in this section (line {at} of the diff).")
        yield section


def _read_body(lines: Sequence[str], at: int, section: Section) -> int:
    """Read a section's lines from ``at`` on; the line that the next one starts at."""
    for number, line in enumerate(lines[at:], at):
        if line.startswith("@@") or _is_end(line):
            return number
        if line == _END_OF_FILE:
            section.at_end = True
            return number + 1
        mark, text = (line[0], line[1:]) if line else (" ", "")
        if mark not in " +-":
            raise InvalidDiff(f"Invalid Line: {line!r}. Lines start with a blank, + or -.")
        if mark != " ":
            section.edits.append((len(section.context), text if mark == "+" else None))
        if mark != "+":
            section.context.append(text)
    return len(lines)


def _located(original: list[str], section: Section, cursor: int) -> int:
    """Where the section's context starts."""
    cursor = _anchored(original, section.anchors, cursor)
    start = _found_at_end(original, section.context) if section.at_end else None
    if start is None:
        start = _found(original, section.context, cursor)
    if start is None:
        kind = "EOF Context" if section.at_end else "Context"
        raise InvalidDiff(f"Invalid {kind} {cursor}:\n" + "\n".join(section.context))
    return start


def _anchored(original: list[str], anchors: list[str], cursor: int) -> int:
    start = cursor
    for nth, anchor in enumerate(anchors):
        if not anchor:
            continue
        if nth == 0 and anchor in original[:start]:
            continue  # The place is inside what an earlier section named already.
        line = _found(original, [anchor], cursor, _ANCHOR_FORMS)
        if line is not None:
            cursor = line + 1
        elif len(anchors) > 1:
            raise InvalidDiff(f"Invalid Anchor {cursor}:\n{anchor}")
        # A lone anchor is a hint: the context alone may be unique.
    return cursor


_Form = Callable[[str], str]
_FORMS: tuple[_Form, ...] = (str, str.rstrip, str.strip)
_ANCHOR_FORMS: tuple[_Form, ...] = (str, str.strip)


def _found(
    original: list[str], wanted: list[str], cursor: int, forms: tuple[_Form, ...] = _FORMS
) -> int | None:
    if not wanted:
        return cursor
    for form in forms:
        lines, goal = [form(line) for line in original], [form(line) for line in wanted]
        for start in range(cursor, len(lines) - len(goal) + 1):
            if lines[start : start + len(goal)] == goal:
                return start
    return None


def _found_at_end(original: list[str], wanted: list[str]) -> int | None:
    # A file that ends in a newline splits into its lines and an empty one, which is no line.
    length = len(original) - 1 if original[-1] == "" else len(original)
    start = length - len(wanted)
    return start if start >= 0 and _found(original[:length], wanted, start) == start else None


def _spliced(original: list[str], edits: list[Edit]) -> list[str]:
    result: list[str] = []
    at = 0
    for line, text in edits:
        if line < at:
            raise InvalidDiff(f"applyDiff: chunk at line {line} overlaps the one before.")
        result += original[at:line]
        at = line
        if text is None:
            at += 1
        else:
            result.append(text)
    return result + original[at:]
