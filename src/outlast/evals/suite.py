"""Asking an agent all cases of a suite, in parallel, each once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from outlast.core.errors import JournalError, UserError, WrongType
from outlast.definitions.agent import Agent
from outlast.definitions.fingerprint import fingerprint
from outlast.definitions.given import check_list, check_number, check_text
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.evals.answers import Answer, Case, Check, Verdict, check_checks
from outlast.evals.checks import name_of
from outlast.evals.judging import CONFIG
from outlast.evals.report import CaseReport, Report
from outlast.journal.journal import Journal
from outlast.run.costs import report_of
from outlast.run.request import journal_of
from outlast.run.runner import Runner
from outlast.views.steps import timeline

Told = Callable[[CaseReport], None]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What an agent is asked, and what its answers have to pass."""

    name: str
    agent: Agent[Any]
    cases: Sequence[Case]
    checks: Sequence[Check] = ()
    """For every case."""
    repeats: int = 1
    """How often each case is asked."""
    run_config: RunConfig | dict[str, Any] | None = None
    max_turns: int | None = 10

    def __post_init__(self) -> None:
        """Refuse what would fail in the middle of an evaluation.

        Raises:
            WrongType: A setting is of another type than it has to be.
            WrongValue: It is out of range.
        """
        check_text("Suite(name=...)", self.name)
        if not isinstance(self.agent, Agent):  # pyright: ignore[reportUnnecessaryIsInstance]  # anybody's
            raise WrongType(f"Suite(agent=...) must be an Agent, got {type(self.agent).__name__}.")
        check_list("Suite(cases=...)", self.cases)
        for case in self.cases:
            if not isinstance(case, Case):  # pyright: ignore[reportUnnecessaryIsInstance]  # anybody's
                raise WrongType(
                    f"Suite(cases=...) must be a list of Case, got {case!r:.40} in it. "
                    'Write Case(input="...").'
                )
        check_checks("Suite(checks=...)", self.checks)
        check_number("Suite(repeats=...)", self.repeats, least=1, whole=True)


async def evaluate(
    suite: Suite,
    *,
    workers: int = 8,
    id: str | None = None,  # noqa: A002  # what it is
    model: str | None = None,
    on_case: Told | None = None,
) -> Report:
    """Ask an agent all cases, and check what it answers.

    Each case is a run, whose id follows from the evaluation's. So an evaluation that was killed and is
    started again asks nothing twice, and one of an unchanged program costs nothing. Where the program or
    a case has changed, it is another one.

    Args:
        suite: What is asked.
        workers: How many cases at once, at most.
        id: What the evaluation is called; None for a name that follows from the program and the cases.
        model: Asked in place of the agents' own.
        on_case: Is told of each case when it is done.

    Raises:
        UserError: Two cases have one id, or ``workers`` is not a number from 1 on.
    """
    check_number("workers", workers, least=1, whole=True)
    cases = _numbered(suite)
    config = coerce_run_config(suite.run_config)
    if model is not None:
        config = replace(config, model=model)
    name = id or f"{suite.name}-{_mark(suite, cases, model)}"
    places, journal = asyncio.Semaphore(workers), journal_of(config)
    made: dict[str, CaseReport] = {}

    async def one(case: Case) -> None:
        async with places:
            made[case.id] = await _asked(suite, case, f"{name}.{case.id}", config, journal)
        if on_case is not None:
            on_case(made[case.id])

    try:
        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(one(case))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # The journal's: all of them met the same one.
    return Report(suite=suite.name, id=name, cases=tuple(made[case.id] for case in cases))


def _numbered(suite: Suite) -> list[Case]:
    named = [
        case if case.id else replace(case, id=f"case-{number}")
        for number, case in enumerate(suite.cases, 1)
    ]
    if suite.repeats > 1:
        named = [
            replace(case, id=f"{case.id}.{n}")
            for case in named
            for n in range(1, suite.repeats + 1)
        ]
    ids = [case.id for case in named]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise UserError(f"Suite {suite.name!r} has more than one case of id {twice[0]!r}.")
    return named


def _mark(suite: Suite, cases: Sequence[Case], model: str | None) -> str:
    """What tells evaluations of one suite apart: the program, the cases, the model."""
    parts = [f"{name}={mark}" for name, mark in sorted(fingerprint(suite.agent).items())]
    parts += [f"{case.id}:{case.input!r}" for case in cases]
    return sha256("\n".join([*parts, model or ""]).encode("utf-8", "replace")).hexdigest()[:10]


async def _asked(
    suite: Suite, case: Case, run_id: str, config: RunConfig, journal: Journal
) -> CaseReport:
    output: Any = None
    error = ""
    try:
        result = await Runner.run(
            suite.agent,
            case.input,
            context=case.context,
            max_turns=suite.max_turns,
            run_config=config,
            run_id=run_id,
        )
        output = result.final_output
        if result.interruptions:
            error = "waits for a person"
    except JournalError:
        raise  # Nothing is known of the case.
    except Exception as failure:  # noqa: BLE001  # tools and models of the program may raise anything
        error = f"{type(failure).__name__}: {failure}"
    log = await journal.read(run_id)
    report = await report_of(journal, run_id, config.prices, log=log)
    answer = Answer(
        case=case,
        run_id=run_id,
        output=output,
        error=error,
        view=timeline(log),
        cost=report.total.whole_cost_usd,
        notes={CONFIG: RunConfig(journal=config.journal, durability=config.durability)},
    )
    return await _report(answer, [*suite.checks, *case.checks])


async def _report(answer: Answer, checks: Sequence[Check]) -> CaseReport:
    verdicts: list[tuple[Check, Verdict]] = []
    if not answer.error:
        verdicts = [(check, await _verdict(check, answer)) for check in checks]
    points = [verdict.points for _, verdict in verdicts]
    judged = [each.passed for check, each in verdicts if getattr(check, "is_judge", False)]
    case = answer.case
    return CaseReport(
        id=case.id,
        run_id=answer.run_id,
        passed=not answer.error and all(verdict.passed for _, verdict in verdicts),
        score=0.0 if answer.error else sum(points) / len(points) if points else 1.0,
        checks={
            name_of(check): "" if each.passed else each.why or "no" for check, each in verdicts
        },
        output="" if answer.error else answer.text,
        error=answer.error,
        tokens=answer.tokens,
        cost=answer.cost,
        seconds=answer.view.duration_s,
        tags=case.tags,
        label=case.label,
        judged=judged[0] if judged else None,
    )


async def _verdict(check: Check, answer: Answer) -> Verdict:
    try:
        said: Any = check(answer)
        if inspect.isawaitable(said):
            said = await said
    except Exception as error:  # noqa: BLE001  # a user's check
        return Verdict(passed=False, why=f"raised {type(error).__name__}: {error}")
    if isinstance(said, Verdict):
        return said
    if isinstance(said, bool):
        return Verdict(said)
    if not isinstance(said, int | float):
        wanted = "A check returns True, False, a number from 0 to 1, or a Verdict."
        return Verdict(passed=False, why=f"returned {type(said).__name__}. {wanted}")
    return Verdict(passed=float(said) >= 1.0, score=float(said))
