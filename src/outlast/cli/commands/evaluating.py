"""`outlast eval`."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from outlast.cli.command import command, finish
from outlast.cli.problem import Missing
from outlast.cli.program import find_file, load_module, load_program
from outlast.cli.running import matching_run
from outlast.cli.screen import console
from outlast.cli.text import plain, short
from outlast.evals import Report, Suite, case_of_run, contains, evaluate, read_cases
from outlast.evals.cases import write_cases
from outlast.run.servers import among_servers

_ALL = 1.0


@command("""
outlast eval evals.py                     a file with a Suite
outlast eval cases.jsonl --agent desk.py  answers hold what is expected
outlast eval evals.py --save today.json --junit report.xml
outlast eval evals.py --save today.json --baseline yesterday.json
outlast eval cases.jsonl --add order-17   save a run as a case
""")
def eval(  # noqa: A001, PLR0913  # what it is called
    place: Annotated[
        str, typer.Argument(metavar="FILE[:SUITE]", help="A Python file, or cases as JSON lines.")
    ],
    agent: Annotated[
        str,
        typer.Option(metavar="FILE[:AGENT]", help="Whom to ask, where the file holds cases only."),
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="How many cases at once.")] = 8,
    model: Annotated[str, typer.Option(help="Models to ask instead, with commas.")] = "",
    repeat: Annotated[int | None, typer.Option(min=1, help="How often each case is asked.")] = None,
    least: Annotated[
        float | None,
        typer.Option(
            "--min", min=0, max=1, help="The part that has to pass; 1 without a baseline."
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An earlier report; regressions fail.")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as JUnit.")] = None,
    eval_id: Annotated[
        str, typer.Option("--id", help="What it is called; same id, same runs.")
    ] = "",
    add: Annotated[str, typer.Option(metavar="RUN", help="Only add a run to the cases.")] = "",
) -> int:
    """Ask an agent many things and check what it answers. Killed and started again, it goes on."""
    if add:
        return _add(Path(place), add)
    before = Report.load(baseline) if baseline else None
    for file in filter(None, (save, junit)):
        _check_writable(file)
    suite = _suite(place, agent)
    if repeat:
        suite = replace(suite, repeats=repeat)
    status = 0
    for each in model.split(",") if model else [None]:
        asking = evaluate(suite, workers=workers, id=eval_id or None, model=each)
        report = finish(among_servers(asking, suite.agent))
        _show(report, before, each)
        if save:
            report.save(save)
        if junit:
            junit.write_text(report.junit(), "utf-8")
        wanted = least if least is not None else 0.0 if before else _ALL
        is_worse = before is not None and bool(report.compared(before).regressions)
        status = max(status, int(report.rate < wanted or is_worse))
    return status


def _check_writable(file: Path) -> None:
    """Refuse a place where no report can be written, before anything is asked."""
    if not file.absolute().parent.is_dir():
        where = plain(file.absolute().parent)
        raise Missing(
            "No folder", f"There is no folder {where}. Nothing was asked.", "Make it first."
        )
    if file.is_dir():
        what = f"{plain(file)} is a folder. Nothing was asked."
        raise Missing("No file", what, "Name a file in it.")


def _add(file: Path, run_id: str) -> int:
    case = finish(case_of_run(finish(matching_run(run_id))))
    write_cases(file, [case])
    console().print(Text(f"Added {plain(case.id)} to {plain(file)}."), soft_wrap=True)
    return 0


def _suite(place: str, agent: str) -> Suite:
    if place.endswith((".jsonl", ".json")):
        if not agent:
            raise Missing(
                "Which agent?", f"{plain(place)} holds cases.", f"outlast eval {place} --agent FILE"
            )
        cases = read_cases(place)
        return Suite(
            name=Path(place).stem, agent=load_program(agent).agent, cases=cases, checks=[contains()]
        )
    file, name = find_file(place)
    found: dict[str, Any] = {
        key: value for key, value in vars(load_module(file)).items() if isinstance(value, Suite)
    }
    if name in found:
        return found[name]
    if len(found) == 1 and not name:
        return next(iter(found.values()))
    if not found:
        raise Missing(
            "No suite",
            f"{plain(file.name)} has no Suite at its top level. Write one into it, or into another file:",
            "from outlast.evals import Case, Suite, contains",
            'suite = Suite(name="first", agent=AGENT, checks=[contains()],',
            '              cases=[Case(input="...", expected="...")])',
            "Cases alone, as lines of JSON: outlast eval cases.jsonl --agent FILE",
        )
    names = ", ".join(sorted(found))
    raise Missing(
        "Which suite?",
        f"{plain(file.name)} has these suites: {names}.",
        f"outlast eval {shlex.quote(plain(place.removesuffix(f':{name}') if name else place))}:NAME",
    )


def _show(report: Report, before: Report | None, model: str | None) -> None:
    screen = console()
    table = Table(box=None, pad_edge=False, title_justify="left")
    for column in ("case", "result", "score", "tokens", "s", "why"):
        table.add_column(column, no_wrap=column != "why")
    styles = {"failed": "red", "REGRESSION": "bold red"}
    for row in report.rows(before)[:_SHOWN]:
        cells = [Text(short(cell, 120), style=styles.get(row[1], "")) for cell in row]
        table.add_row(*cells)
    screen.print(table)
    low, high = report.interval
    cost = "cost not known" if report.cost is None else f"${report.cost:.4f}"
    # Where no model has counted a token, nobody knows that it was for nothing.
    used = f"{report.tokens:,} tokens{f' · {cost}' if report.tokens else ''}"
    who = f"{report.id}{f' on {model}' if model else ''}"
    screen.print(
        Text(
            f"\n{plain(who)}: {report.passed} of {len(report.cases)} passed, {report.rate:.1%} "
            f"(95 % between {low:.1%} and {high:.1%}) · {used}",
            style="bold",
        )
    )
    agrees, labelled = report.judge_agrees
    if labelled:
        style = "" if agrees == labelled else "yellow"
        screen.print(Text(f"The judge agrees with {agrees} of {labelled} labels.", style=style))
    if before is not None:
        found = report.compared(before)
        screen.print(
            Text(
                f"Against the baseline: {len(found.regressions)} regressions, {len(found.fixed)} fixed, "
                f"{len(found.changed)} other outputs, {len(found.added)} new, {len(found.removed)} gone."
            )
        )


_SHOWN = 200
