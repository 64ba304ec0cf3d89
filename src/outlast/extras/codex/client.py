"""The way to Codex: threads that begin, and threads that go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.core.errors import UserError
from outlast.extras.codex.options import (
    CodexOptions,
    ThreadOptions,
    coerce_codex_options,
    coerce_thread_options,
)
from outlast.extras.codex.process import CodexExec
from outlast.extras.codex.thread import Thread


class _Unset:
    """Stands for what was not said."""


_UNSET = _Unset()


class Codex:
    """Starts and goes on with threads of the program `codex`."""

    def __init__(
        self,
        options: CodexOptions | Mapping[str, Any] | None = None,
        *,
        codex_path_override: str | _Unset | None = _UNSET,
        base_url: str | _Unset | None = _UNSET,
        api_key: str | _Unset | None = _UNSET,
        env: Mapping[str, str] | _Unset | None = _UNSET,
        codex_subprocess_stream_limit_bytes: int | _Unset | None = _UNSET,
    ) -> None:
        """Take the options in one piece, or one by one.

        Raises:
            UserError: Both, or one that is not known.
        """
        named = {
            "codex_path_override": codex_path_override,
            "base_url": base_url,
            "api_key": api_key,
            "env": env,
            "codex_subprocess_stream_limit_bytes": codex_subprocess_stream_limit_bytes,
        }
        single = {name: value for name, value in named.items() if not isinstance(value, _Unset)}
        if options is not None and single:
            raise UserError(
                "Codex options must be provided as a CodexOptions/mapping or keyword arguments, "
                "not both."
            )
        self._options = coerce_codex_options(options or single) or CodexOptions()
        self._exec = CodexExec(
            executable_path=self._options.codex_path_override,
            env=_normalize_env(self._options),
            subprocess_stream_limit_bytes=self._options.codex_subprocess_stream_limit_bytes,
        )

    def start_thread(self, options: ThreadOptions | Mapping[str, Any] | None = None) -> Thread:
        """A new conversation."""
        return self._thread(None, options)

    def resume_thread(
        self, thread_id: str, options: ThreadOptions | Mapping[str, Any] | None = None
    ) -> Thread:
        """A conversation that was begun before."""
        return self._thread(thread_id, options)

    def _thread(self, thread_id: str | None, options: Any) -> Thread:
        return Thread(
            exec_client=self._exec,
            options=self._options,
            thread_options=coerce_thread_options(options) or ThreadOptions(),
            thread_id=thread_id,
        )


def _normalize_env(options: CodexOptions) -> dict[str, str] | None:
    """The environment that the options name, as texts; None if they name none."""
    if options.env is None:
        return None
    return {str(name): str(value) for name, value in options.env.items()}
