"""Settings of Codex itself, of a thread, and of one turn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from outlast.extras.codex.records import options_of

ApprovalMode: TypeAlias = Literal["never", "on-request", "on-failure", "untrusted"]
SandboxMode: TypeAlias = Literal["read-only", "workspace-write", "danger-full-access"]
ModelReasoningEffort: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
WebSearchMode: TypeAlias = Literal["disabled", "cached", "live"]
AbortSignal: TypeAlias = asyncio.Event
"""Set it to end a turn that runs."""


@dataclass(frozen=True)
class CodexOptions:
    """Which Codex is run, and how it reaches its model."""

    codex_path_override: str | None = None
    """The program; None looks at `CODEX_PATH` and then on the PATH."""
    base_url: str | None = None
    api_key: str | None = None
    env: Mapping[str, str] | None = None
    """The whole environment of the program; None for that of this process."""
    codex_subprocess_stream_limit_bytes: int | None = None
    """The longest line that Codex may write: 64 KiB to 64 MiB, 8 MiB if None."""


@dataclass(frozen=True)
class ThreadOptions:
    """What all turns of a thread have in common. None leaves a setting to Codex."""

    model: str | None = None
    sandbox_mode: SandboxMode | None = None
    working_directory: str | None = None
    skip_git_repo_check: bool | None = None
    model_reasoning_effort: ModelReasoningEffort | None = None
    network_access_enabled: bool | None = None
    web_search_mode: WebSearchMode | None = None
    web_search_enabled: bool | None = None
    """Counts only without `web_search_mode`: live, or disabled."""
    approval_policy: ApprovalMode | None = None
    additional_directories: Sequence[str] | None = None


@dataclass(frozen=True)
class TurnOptions:
    """What holds for one turn."""

    output_schema: dict[str, Any] | None = None
    signal: AbortSignal | None = None
    idle_timeout_seconds: float | None = None
    """How long Codex may say nothing."""


def coerce_codex_options(options: CodexOptions | Mapping[str, Any] | None) -> CodexOptions | None:
    """``options`` as `CodexOptions`."""
    return options_of(CodexOptions, options)


def coerce_thread_options(
    options: ThreadOptions | Mapping[str, Any] | None,
) -> ThreadOptions | None:
    """``options`` as `ThreadOptions`."""
    return options_of(ThreadOptions, options)


def coerce_turn_options(options: TurnOptions | Mapping[str, Any] | None) -> TurnOptions | None:
    """``options`` as `TurnOptions`."""
    return options_of(TurnOptions, options)
