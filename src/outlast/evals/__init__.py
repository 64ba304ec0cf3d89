"""Asking agents many things, and checking what they answer and how they got there.

Each case is a run: it can be opened, replayed and forked, and an evaluation that was killed goes on
where it was.
"""

from outlast.evals.answers import Answer as Answer, Case as Case, Check as Check, Verdict as Verdict
from outlast.evals.cases import case_of_run as case_of_run, read_cases as read_cases
from outlast.evals.checks import (
    called as called,
    contains as contains,
    exact as exact,
    json_schema as json_schema,
    max_cost as max_cost,
    max_tokens as max_tokens,
    max_turns as max_turns,
    not_called as not_called,
    number as number,
    path as path,
    regex as regex,
    trajectory as trajectory,
)
from outlast.evals.judging import judge as judge
from outlast.evals.report import (
    CaseReport as CaseReport,
    Comparison as Comparison,
    Report as Report,
)
from outlast.evals.suite import Suite as Suite, evaluate as evaluate
