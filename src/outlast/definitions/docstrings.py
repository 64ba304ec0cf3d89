"""What a docstring tells the model: a description, and a line for each parameter."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

DocstringStyle = Literal["google", "numpy", "sphinx"]


@dataclass
class FuncDocumentation:
    """What a docstring says; None where it says nothing."""

    name: str
    description: str | None
    """All that comes before the first section."""
    param_descriptions: dict[str, str] | None


def generate_func_documentation(
    func: Callable[..., Any], style: DocstringStyle | None = None
) -> FuncDocumentation:
    """What the docstring of ``func`` says.

    Args:
        func: A function, or an object with a name and a docstring.
        style: How the docstring is written; without it, the style is guessed.
    """
    name: str = getattr(func, "__name__", type(func).__name__)
    doc = inspect.getdoc(func)
    if not doc:
        return FuncDocumentation(name, None, None)
    description, parameters = _parsed(doc, style)
    return FuncDocumentation(name, description, dict(parameters) or None)


_ARGUMENTS = r"(?:(?:Keyword |Other )?(?:Args|Arguments)|(?:Other )?(?:Params|Parameters))"
_MARKS: dict[DocstringStyle, tuple[re.Pattern[str], ...]] = {
    # Of styles with equally many marks, the first one counts.
    "sphinx": tuple(
        re.compile(rf"^:{word}\b.*:", re.MULTILINE)
        for word in ("(?:param|keyword|key|arg)", "type", "return", "returns", "rtype", "raises")
    ),
    "numpy": tuple(
        re.compile(rf"^{word}\s*\n\s*-{{3,}}", re.MULTILINE)
        for word in ("(?:Other )?Parameters", "Returns", "Yields", "Raises", "Notes")
    ),
    "google": tuple(
        re.compile(rf"^\s*{word}:\s*$", re.MULTILINE)
        for word in (_ARGUMENTS, "Returns", "Yields", "Raises")
    ),
}
_SECTION = re.compile(r"^\s*(:\w|-{3,}|[A-Z][\w ]*:)", re.MULTILINE)
_UNSEPARATED_ARGS = re.compile(rf"(?<=\S\n)(?=[ \t]*{_ARGUMENTS}:[ \t]*$)", re.MULTILINE)


def guessed_style(doc: str) -> DocstringStyle:
    """The style that ``doc`` shows most signs of; Google's if it shows none."""
    scores: dict[DocstringStyle, int] = {
        style: sum(mark.search(doc) is not None for mark in marks)
        for style, marks in _MARKS.items()
    }
    best: DocstringStyle = max(scores, key=lambda style: scores[style])
    return best if scores[best] else "google"


@functools.lru_cache(maxsize=1024)
def _parsed(
    doc: str, style: DocstringStyle | None
) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    if not _SECTION.search(doc):
        return doc, ()  # The common one-liner needs no parser.
    import griffe

    style = style or guessed_style(doc)
    if style == "google":
        # Many people leave out the blank line that the style asks for, or the summary before it.
        doc = "\n" + _UNSEPARATED_ARGS.sub("\n", doc)
    options: dict[str, Any] = {} if style == "sphinx" else {"warn_missing_types": False}
    sections = griffe.Docstring(doc, lineno=1).parse(
        style, warnings=False, warn_unknown_params=False, **options
    )
    description: str | None = None
    parameters: dict[str, str] = {}
    for section in sections:
        if section.kind is griffe.DocstringSectionKind.text:
            description = description or section.value
        elif section.kind in (
            griffe.DocstringSectionKind.parameters,
            griffe.DocstringSectionKind.other_parameters,  # Google's "Keyword Args:", too.
        ):
            # Google and NumPy write the stars of *args, signatures do not have them.
            parameters |= {each.name.lstrip("*"): each.description for each in section.value}
    return description, tuple(parameters.items())
