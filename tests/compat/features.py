"""Which promises of guides and of openai-agents hold. `python tests/compat/features.py` writes the page."""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "features.md"
COMPATIBILITY = HERE.parents[1] / "docs" / "compatibility.md"
BEGIN, END = "<!-- features: begin -->", "<!-- features: end -->"
GROUPS = {
    "AG": "Agents", "RL": "Runs and their loop", "TO": "Tools", "HO": "Handoffs",
    "GR": "Guardrails", "CX": "Context", "ST": "Streaming", "CL": "Command line and examples",
}  # fmt: skip
NOT_YET, UNCHECKED = "not yet:", "unchecked"


class Row(NamedTuple):
    key: str
    promise: str
    known: str

    @property
    def verdict(self) -> str:
        """Works, unchecked or not yet."""
        if self.known.startswith(NOT_YET):
            return "not yet"
        return UNCHECKED if self.known == UNCHECKED else "works"


def rows() -> list[Row]:
    """The table, in its order."""
    lines = (HERE / "features.txt").read_text().splitlines()
    return [Row(*line.split(" | ")) for line in lines if not line.startswith("#")]


def page() -> str:
    """The page that says so."""
    found = rows()
    counts = Counter(row.verdict for row in found)
    lines = [
        "# Features, one by one",
        "",
        "<!-- Written by `python tests/compat/features.py` from tests/compat/features.txt. -->",
        "",
        "What openai-agents' documentation and guides that are copied widely promise, and what is known of",
        f"it here: {counts['works']} of {len(found)} work, each with the name of a test that covers it;",
        f"{counts[UNCHECKED]} have no test of their own; {counts['not yet']} are not there, and the reason is said.",
    ]
    for group, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| feature | | test, or why not |", "|---|---|---|"]
        for row in found:
            if row.key.startswith(group):
                why = row.known.removeprefix(NOT_YET).strip()
                last = {"works": f"`test_{row.known}`", UNCHECKED: ""}.get(row.verdict, why)
                lines.append(f"| {row.promise} | {row.verdict} | {last} |")
    return "\n".join([*lines, ""])


def summary() -> str:
    """What stands of it in the page about compatibility: counts by group, and what is not there."""
    found = rows()
    lines = [
        "",
        "| group | work, with a test | no test of their own | not yet |",
        "|---|--:|--:|--:|",
    ]
    verdicts = ("works", UNCHECKED, "not yet")
    for group, title in GROUPS.items():
        counts = Counter(row.verdict for row in found if row.key.startswith(group))
        lines.append(f"| {title} | {' | '.join(str(counts[each]) for each in verdicts)} |")
    counts = Counter(row.verdict for row in found)
    lines.append(f"| **all** | {' | '.join(str(counts[each]) for each in verdicts)} |")
    lines += ["", "| not yet | why |", "|---|---|"]
    for row in found:
        if row.verdict == "not yet":
            lines.append(f"| {row.promise} | {row.known.removeprefix(NOT_YET).strip()} |")
    return "\n".join([*lines, "", ""])


def compatibility() -> str:
    """The page about compatibility with that summary in its place."""
    before, _, rest = COMPATIBILITY.read_text().partition(BEGIN)
    return before + BEGIN + "\n" + summary() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page())
    COMPATIBILITY.write_text(compatibility())
    sys.exit()
