"""`from exospherehost.openai import agents`: agents of openai-agents that are tried again.

    result = await agents.run(agent, "Summarise this.", retry_policy={"max_retries": 3})
    print(result.output)

A retry goes on with the same run, so nothing that is in its log is done again. No server is asked.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, cast

from outlast.core.errors import (
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
    UserError,
)
from outlast.definitions.agent import Agent
from outlast.run.result import RunResult
from outlast.run.runner import Runner

__all__ = ["Agent", "RunResult", "run"]

_NEVER = (
    UserError,
    MaxTurnsExceeded,
    InputGuardrailTripwireTriggered,
    OutputGuardrailTripwireTriggered,
)
_BASES = ("EXPONENTIAL", "LINEAR", "FIXED")
_JITTERS = ("FULL_JITTER", "EQUAL_JITTER")
_STRATEGIES = (*_BASES, *(f"{base}_{jitter}" for base in _BASES for jitter in _JITTERS))
_KEYS = ("max_retries", "strategy", "backoff_factor", "exponent", "max_delay")
_RANDOM = secrets.SystemRandom()


async def run(agent: Agent, message: Any, *, retry_policy: Any = None, **options: Any) -> RunResult:
    """What the agent came to, at the latest after the last retry.

    Args:
        agent: The agent that begins.
        message: Its input.
        retry_policy: A mapping, or an object with these attributes, times in milliseconds:
            ``max_retries`` (3), ``strategy`` ("EXPONENTIAL", "LINEAR" or "FIXED", each also with
            "_FULL_JITTER" or "_EQUAL_JITTER"), ``backoff_factor`` (1000), ``exponent`` (2),
            ``max_delay``. Without one, nothing is tried again.
        options: What `Runner.run` takes by keyword.

    Raises:
        Exception: What the last attempt failed with. A tripped guardrail, the turn limit and
            mistakes of the program are raised at once.
        UserError: There is no such strategy or setting.
    """
    waits = _waits(retry_policy)
    run_id = options.setdefault("run_id", secrets.token_hex(16))
    try:
        return await Runner.run(agent, message, **options)
    except _NEVER:
        raise
    except Exception as error:
        if not waits:
            raise
        failure = error
    options.pop("run_id")
    for number, wait_s in enumerate(waits, start=1):
        await asyncio.sleep(wait_s)
        try:
            return await Runner.resume(run_id, agent, **options)
        except _NEVER:
            raise
        except Exception as error:
            if number == len(waits):
                raise
            failure = error
    raise failure


def _waits(policy: Any) -> list[float]:
    """Seconds before each retry."""
    if policy is None:
        return []
    settings = cast("Mapping[str, Any]", policy) if isinstance(policy, Mapping) else _fields(policy)
    if unknown := sorted({*settings} - {*_KEYS}):
        raise UserError(f"A retry_policy has no {unknown}. It has {', '.join(_KEYS)}.")
    strategy = settings.get("strategy") or "EXPONENTIAL"
    strategy = str(getattr(strategy, "value", strategy)).upper()
    if strategy not in _STRATEGIES:
        raise UserError(f"There is no strategy {strategy!r}. Take one of {', '.join(_STRATEGIES)}.")
    return [
        _wait(strategy, number, settings)
        for number in range(1, int(settings.get("max_retries", 3)) + 1)
    ]


def _fields(policy: Any) -> dict[str, Any]:
    return {key: getattr(policy, key) for key in _KEYS if hasattr(policy, key)}


def _wait(strategy: str, number: int, settings: Mapping[str, Any]) -> float:
    base_ms = float(settings.get("backoff_factor", 1_000))
    match strategy.partition("_")[0]:
        case "EXPONENTIAL":
            wait_ms = base_ms * float(settings.get("exponent", 2)) ** (number - 1)
        case "LINEAR":
            wait_ms = base_ms * number
        case _:
            wait_ms = base_ms
    if strategy.endswith("FULL_JITTER"):
        wait_ms = _RANDOM.uniform(0, wait_ms)
    elif strategy.endswith("EQUAL_JITTER"):
        wait_ms = wait_ms / 2 + _RANDOM.uniform(0, wait_ms / 2)
    longest_ms = settings.get("max_delay")
    return (wait_ms if longest_ms is None else min(wait_ms, float(longest_ms))) / 1_000
