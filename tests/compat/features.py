"""Which promises of guides and of openai-agents hold. `python tests/compat/features.py` writes the page."""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "features.md"
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


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.exit()
