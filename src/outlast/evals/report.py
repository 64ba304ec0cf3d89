"""What came of an evaluation: a table, a file to compare with, JUnit's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from outlast.core.errors import WrongValue
from outlast.core.missing import NoSuchThing
from outlast.views.words import command_line

_Z = 1.96
"""For 95 of 100 cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """What came of one case."""

    id: str
    run_id: str
    passed: bool
    score: float
    """From 0 to 1: the mean of its checks."""
    checks: dict[str, str] = field(default_factory=dict[str, str])
    """Why checks failed, by their names; empty texts for those that passed."""
    output: str = ""
    error: str = ""
    tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    tags: tuple[str, ...] = ()
    label: bool | None = None
    judged: bool | None = None
    """What the judge said, where there is one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """In what a report differs from an earlier one."""

    regressions: tuple[str, ...]
    """Cases that passed then, and do not now."""
    fixed: tuple[str, ...]
    changed: tuple[str, ...]
    """Cases that came to the same, with another output."""
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of an evaluation."""

    suite: str
    id: str
    cases: tuple[CaseReport, ...]

    @property
    def passed(self) -> int:
        """How many cases passed all their checks."""
        return sum(case.passed for case in self.cases)

    @property
    def rate(self) -> float:
        """Which part of the cases passed; 1 of none."""
        return self.passed / len(self.cases) if self.cases else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Between what the rate of very many such cases lies, with 95 % confidence (Wilson)."""
        n = len(self.cases)
        if not n:
            return 0.0, 1.0
        middle = (self.rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        spread = _Z * sqrt(self.rate * (1 - self.rate) / n + _Z**2 / (4 * n * n)) / (1 + _Z**2 / n)
        return max(0.0, middle - spread), min(1.0, middle + spread)

    @property
    def cost(self) -> float | None:
        """In US dollars; None where the price of a model is not known."""
        costs = [case.cost for case in self.cases]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def tokens(self) -> int:
        """All that models read and wrote."""
        return sum(case.tokens for case in self.cases)

    @property
    def judge_agrees(self) -> tuple[int, int]:
        """How often the judge agrees with people, and of how many cases people said something."""
        labelled = [
            case for case in self.cases if case.label is not None and case.judged is not None
        ]
        return sum(case.judged == case.label for case in labelled), len(labelled)

    def compared(self, before: Report) -> Comparison:
        """In what this report differs from an earlier one."""
        then = {case.id: case for case in before.cases}
        now = {case.id: case for case in self.cases}
        both = [(then[key], now[key]) for key in now if key in then]
        return Comparison(
            regressions=tuple(new.id for old, new in both if old.passed and not new.passed),
            fixed=tuple(new.id for old, new in both if new.passed and not old.passed),
            changed=tuple(
                new.id for old, new in both if old.passed == new.passed and old.output != new.output
            ),
            added=tuple(key for key in now if key not in then),
            removed=tuple(key for key in then if key not in now),
        )

    def save(self, file: str | Path) -> None:
        """Write it as JSON, for a later comparison."""
        Path(file).write_bytes(
            msgspec.json.format(msgspec.json.encode(asdict(self)), indent=1) + b"\n"
        )

    @classmethod
    def load(cls, file: str | Path) -> Report:
        """A report that `save` wrote.

        Raises:
            NoSuchThing: There is no such file.
            WrongValue: The file holds none.
        """
        if not Path(file).is_file():
            raise NoSuchThing(
                f"There is no file {str(file)!r}. Name a report that --save or Report.save has written."
            )
        try:
            return msgspec.json.decode(Path(file).read_bytes(), type=cls)
        except msgspec.MsgspecError as error:
            raise WrongValue(f"{file} holds no report of an evaluation: {error}.") from error

    def junit(self) -> str:
        """The report in the form of JUnit, which build servers read."""
        failed = len(self.cases) - self.passed
        root = ET.Element("testsuites")
        facts = {"name": self.suite, "tests": str(len(self.cases)), "failures": str(failed)}
        suite = ET.SubElement(root, "testsuite", facts)
        for case in self.cases:
            about = {
                "name": _xml(case.id),
                "classname": _xml(self.suite),
                "time": f"{case.seconds:.3f}",
            }
            entry = ET.SubElement(suite, "testcase", about)
            if not case.passed:
                said = case.error or "; ".join(_failed(case))
                ET.SubElement(entry, "failure", {"message": _xml(said)}).text = _xml(case.output)
            ET.SubElement(entry, "system-out").text = _xml(command_line("show", case.run_id))
        return ET.tostring(root, encoding="unicode", xml_declaration=True)

    def rows(self, before: Report | None = None) -> list[tuple[str, ...]]:
        """The table: case, result, score, tokens, seconds, why; the failed ones first."""
        regressions = set(self.compared(before).regressions) if before else set[str]()
        ordered = sorted(self.cases, key=lambda case: (case.passed, case.id))
        return [
            (
                case.id,
                "passed" if case.passed else "REGRESSION" if case.id in regressions else "failed",
                f"{case.score:.2f}",
                f"{case.tokens:,}",
                f"{case.seconds:.1f}",
                case.error or "; ".join(_failed(case)),
            )
            for case in ordered
        ]


def _failed(case: CaseReport) -> Sequence[str]:
    return [f"{name}: {why}" for name, why in case.checks.items() if why]


def _xml(text: str) -> str:
    """``text`` without what XML cannot say."""
    return "".join(
        c
        for c in text
        if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
