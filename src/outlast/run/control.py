"""What `Runner` tells runs, whoever performs them: cancel, send, pause, unpause, raise the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from outlast.core.commands import Cancel, Command, GoOn, Pause, RaiseLimit, Send, TopUp
from outlast.core.errors import UserError
from outlast.definitions.budget import Per, limits_of
from outlast.definitions.choices import check_choice
from outlast.effects.config import RunConfig, coerce_run_config
from outlast.run.commands import check_said, command_head, command_run, require_whole
from outlast.run.request import as_items, journal_of

if TYPE_CHECKING:
    from outlast.definitions.openai_types import TResponseInputItem

Config = RunConfig | dict[str, Any] | None


async def cancel(
    run_id: str,
    *,
    mode: Literal["immediate", "after_turn"] = "immediate",
    by: str | None = None,
    why: str | None = None,
    run_config: Config = None,
) -> None:
    """End a run, whoever performs it. On disk when this returns.

    Args:
        run_id: The whole id of the run. Runs inside it end with it.
        mode: ``immediate`` stops what it performs; ``after_turn`` lets the turn in progress end.
        by: Who stops it.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        RunHasEnded: The run is complete already.
        UserError: It is a part of another one.
        RunNotFound: There is no such run.
    """
    check_choice("mode", mode, Literal["immediate", "after_turn"])
    await _tell(run_id, Cancel(**command_head(by, why), mode=mode), run_config)


async def send(
    run_id: str,
    input: str | list[TResponseInputItem],
    *,
    by: str | None = None,
    run_config: Config = None,
) -> None:
    """Let a run hear something more, whoever performs it: at its next model call.

    A run that was about to answer makes another turn. What is sent passes the input guardrails of the
    run in the turn that it enters. On disk when this returns.

    Args:
        run_id: The whole id of the run.
        input: A text of the user's, or input items.
        by: Who says it.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        RunHasEnded: The run has ended, or has its answer. Begin another one; resume one that failed.
        UserError: There is nothing to hear, or the run is a part of another one.
        RunNotFound: There is no such run.
    """
    items = as_items(input)
    if not any(item.get("content") or "type" in item for item in items):
        raise UserError("There is nothing in what was to be sent. Send a text, or a list of items.")
    await _tell(run_id, Send(**command_head(by, None), items=items), run_config)


async def pause(
    run_id: str, *, by: str | None = None, why: str | None = None, run_config: Config = None
) -> None:
    """Let what a run performs end, and begin nothing new until somebody resumes it.

    It holds no process then: the call of `Runner.run` that performs it raises `RunIsPaused`. On disk
    when this returns.

    Args:
        run_id: The whole id of the run.
        by: Who pauses it.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        RunHasEnded: The run has ended, or has its answer.
        UserError: It is a part of another one.
        RunNotFound: There is no such run.
    """
    await _tell(run_id, Pause(**command_head(by, why)), run_config)


async def unpause(
    run_id: str, *, by: str | None = None, why: str | None = None, run_config: Config = None
) -> None:
    """Let a run go on that was paused, abandoned or parked, without performing it here.

    A process that still performs it goes on. Else the next `recover_runs` or `Recoverer` does; use
    `Runner.resume` to perform it here. On disk when this returns.

    Args:
        run_id: The whole id of the run.
        by: Who lets it go on.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        RunHasEnded: The run has ended, or has its answer.
        UserError: It is a part of another one.
        RunNotFound: There is no such run.
    """
    await _tell(run_id, GoOn(**command_head(by, why)), run_config)


async def raise_limit(
    run_id: str,
    max_turns: int | None,
    *,
    by: str | None = None,
    why: str | None = None,
    run_config: Config = None,
) -> None:
    """Let a run make more turns. One that has failed at its limit goes on when it is resumed.

    On disk when this returns.

    Args:
        run_id: The whole id of the run.
        max_turns: How many turns the whole run may make; None for as many as it wants.
        by: Who raises it.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        UserError: The run has a higher limit, or it is a part of another one.
        RunHasEnded: It is complete, cancelled, or has its answer.
        RunNotFound: There is no such run.
    """
    if max_turns is not None and (not isinstance(max_turns, int) or max_turns < 1):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
        raise UserError(
            f"max_turns must be 1 or more, or None for no limit; got {max_turns!r:.40}."
        )
    await _tell(run_id, RaiseLimit(**command_head(by, why), max_turns=max_turns), run_config)


async def top_up(  # noqa: PLR0913  # a budget has so many measures
    run_id: str,
    *,
    tokens: int = 0,
    requests: int = 0,
    tool_calls: int = 0,
    cost_usd: float = 0.0,
    seconds: float = 0.0,
    per: Per = "run",
    agent: str | None = None,
    by: str | None = None,
    why: str | None = None,
    run_config: Config = None,
) -> None:
    """Add to what a run may spend. One that has failed for it goes on when it is resumed.

    Of a budget that runs share, the window that is current when the run goes on gets it. On disk when
    this returns.

    Args:
        run_id: The whole id of the run.
        tokens: How many tokens more.
        requests: How many model calls more.
        tool_calls: How many calls of tools more.
        cost_usd: How many dollars more.
        seconds: How many seconds more.
        per: Whose budget it is.
        agent: Only the budgets of this agent.
        by: Who adds it.
        why: A reason, for whoever reads the log.
        run_config: Where the run is kept, if not in the default journal.

    Raises:
        UserError: Nothing is added, or the run is a part of another one.
        RunHasEnded: It is complete, cancelled, or has its answer.
        RunNotFound: There is no such run.
    """
    check_choice("per", per, Per)
    added = limits_of(
        "Runner.top_up",
        tokens=tokens,
        requests=requests,
        tool_calls=tool_calls,
        cost_usd=cost_usd,
        seconds=seconds,
    )
    if not any(added.values()):
        raise UserError(
            "Runner.top_up adds to a budget: give tokens, requests, tool_calls, cost_usd or seconds, "
            "each above 0."
        )
    command = TopUp(**command_head(by, why), per=per, agent=agent or "", **added)
    await _tell(run_id, command, run_config)


async def _tell(run_id: str, command: Command, config: Config) -> None:
    check_said(run_id=run_id)
    journal = journal_of(coerce_run_config(config))
    await require_whole(journal, run_id)
    await command_run(journal, run_id, command)
