"""What an agent is asked in an evaluation, and what is expected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from outlast.core.errors import UserError
from outlast.core.missing import NoSuchThing
from outlast.effects.config import RunConfig
from outlast.evals.answers import Case
from outlast.run.request import journal_of
from outlast.views.steps import timeline

_FIELDS = {"id", "input", "expected", "tags", "label", "source", "calls"}


def read_cases(file: str | Path) -> list[Case]:
    """The cases of a file: a line of JSON for each, with the fields of `Case` that are data.

    Raises:
        UserError: There is no such file, or a line is none.
    """
    if not Path(file).is_file():
        raise NoSuchThing(
            f"There is no file {str(file)!r}. Name one with a case in JSON on each line."
        )
    found: list[Case] = []
    for number, line in enumerate(Path(file).read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            facts = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise UserError(f"{file}, line {number}: that is no JSON object. {error}.") from error
        unknown = set(facts) - _FIELDS
        if "input" not in facts or unknown:
            said = (
                "has no input" if "input" not in facts else f"has unknown fields {sorted(unknown)}"
            )
            raise UserError(f"{file}, line {number} {said}. A case has: {sorted(_FIELDS)}.")
        facts["tags"], facts["calls"] = tuple(facts.get("tags", ())), tuple(facts.get("calls", ()))
        found.append(Case(**facts))
    return found


def write_cases(file: str | Path, cases: Iterable[Case]) -> None:
    """Add cases to a file that `read_cases` reads."""
    lines: list[bytes] = []
    for case in cases:
        facts = {name: getattr(case, name) for name in sorted(_FIELDS)}
        lines.append(msgspec.json.encode({name: each for name, each in facts.items() if each}))
    with Path(file).open("ab") as out:
        out.writelines(line + b"\n" for line in lines)


async def case_of_run(run_id: str, *, journal: Any = None) -> Case:
    """A case from what a run was asked; its output and its calls are what is expected.

    Raises:
        RunNotFound: There is no such run.
    """
    kept = journal_of(RunConfig(journal=journal))
    stored = await kept.read(run_id)
    view = timeline(stored)
    started: Any = stored[0].event
    asked = view.input if started.is_text else started.input
    calls = tuple(step.name for step in view.steps if step.kind == "tool" and step.is_recorded)
    return Case(id=run_id, input=asked, expected=view.output or None, source=run_id, calls=calls)
