"""One turn of Codex as a process of its own: its command line, its lines, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass

from outlast.core.errors import UserError
from outlast.extras.codex.options import (
    ApprovalMode,
    ModelReasoningEffort,
    SandboxMode,
    WebSearchMode,
)
from outlast.extras.codex.records import CodexError

DEFAULT_LIMIT = 8 * 1024 * 1024
LEAST_LIMIT, LARGEST_LIMIT = 64 * 1024, 64 * 1024 * 1024
LIMIT_VARIABLE = "OPENAI_AGENTS_CODEX_SUBPROCESS_STREAM_LIMIT_BYTES"
_ORIGINATOR = "CODEX_INTERNAL_ORIGINATOR_OVERRIDE"


@dataclass(frozen=True)
class CodexExecArgs:
    """What one turn needs."""

    input: str
    base_url: str | None = None
    api_key: str | None = None
    thread_id: str | None = None
    images: list[str] | None = None
    model: str | None = None
    sandbox_mode: SandboxMode | None = None
    working_directory: str | None = None
    additional_directories: list[str] | None = None
    skip_git_repo_check: bool | None = None
    output_schema_file: str | None = None
    model_reasoning_effort: ModelReasoningEffort | None = None
    signal: asyncio.Event | None = None
    idle_timeout_seconds: float | None = None
    network_access_enabled: bool | None = None
    web_search_mode: WebSearchMode | None = None
    web_search_enabled: bool | None = None
    approval_policy: ApprovalMode | None = None


class CodexExec:
    """Runs turns with one Codex program."""

    def __init__(
        self,
        *,
        executable_path: str | None = None,
        env: Mapping[str, str] | None = None,
        subprocess_stream_limit_bytes: int | None = None,
    ) -> None:
        """Raise a `UserError` for a limit out of bounds. The program is looked for later."""
        self._path = executable_path
        self._env = env
        self._limit = stream_limit(subprocess_stream_limit_bytes)

    async def run(self, args: CodexExecArgs) -> AsyncGenerator[str, None]:
        """Yield the lines that Codex writes, until it ends.

        Codex and what it has started are killed when the generator is closed.

        Raises:
            CodexError: It could not be started, said nothing for too long, wrote a line that is too
                long, or ended with an error.
        """
        process = await self._start(args)
        tasks: list[asyncio.Task[None]] = []
        complaint = bytearray()
        try:
            reader = _reader(process)
            if process.stderr is not None:
                tasks.append(asyncio.create_task(_collect(process.stderr, complaint)))
            if args.signal is not None:
                tasks.append(asyncio.create_task(_terminate_when(args.signal, process)))
            await _feed(process, args.input)
            while line := await self._line(process, reader, args.idle_timeout_seconds):
                yield line.decode(errors="replace").rstrip("\n")
            await process.wait()
            if process.returncode:
                await asyncio.wait(tasks[:1]) if tasks else None
                said = complaint.decode(errors="replace")
                raise CodexError(f"Codex exec exited with code {process.returncode}: {said}")
        finally:
            await _put_down(process, tasks)

    async def _start(self, args: CodexExecArgs) -> asyncio.subprocess.Process:
        path = self._path or find_codex_path()
        pipe = asyncio.subprocess.PIPE
        try:
            return await asyncio.create_subprocess_exec(
                path,
                *command_line(args),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                limit=self._limit,
                env=self._environment(args),
                start_new_session=True,
            )
        except OSError as error:
            raise CodexError(
                f"Codex could not be started as {path!r}: {error.strerror}. Set "
                "codex_path_override or CODEX_PATH to the program."
            ) from error

    async def _line(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        patience: float | None,
    ) -> bytes:
        try:
            return await asyncio.wait_for(reader.readline(), patience)
        except TimeoutError as error:
            process.terminate()
            raise CodexError(f"Codex stream idle for {patience} seconds.") from error
        except ValueError as error:
            raise CodexError(
                f"Codex wrote a line of more than {self._limit} bytes. Raise "
                "codex_subprocess_stream_limit_bytes."
            ) from error

    def _environment(self, args: CodexExecArgs) -> dict[str, str]:
        environment = dict(os.environ if self._env is None else self._env)
        environment.setdefault(_ORIGINATOR, "codex_sdk_ts")
        if args.base_url:
            environment["OPENAI_BASE_URL"] = args.base_url
        if args.api_key:
            environment["CODEX_API_KEY"] = args.api_key
        return environment


def command_line(args: CodexExecArgs) -> list[str]:
    """The arguments of the program `codex` for one turn. The prompt comes through stdin."""
    words = ["exec", "--experimental-json", *_flags(args)]
    for setting, value in _settings(args):
        words += ["--config", f"{setting}={value}"]
    images = [word for image in args.images or () for word in ("--image", image)]
    if args.thread_id:
        # Behind --, so that an id which begins with a dash is no option.
        return [*words, "resume", *images, "--", args.thread_id, "-"]
    return [*words, *images, "-"]


def find_codex_path() -> str:
    """Where the program `codex` is: what `CODEX_PATH` says, or the first on the PATH.

    Raises:
        UserError: Nowhere.
    """
    path = os.environ.get("CODEX_PATH") or shutil.which("codex")
    if path is None:
        raise UserError(
            "The program codex is not on the PATH. Install it (npm install -g @openai/codex), or "
            "say where it is: codex_path_override, or the variable CODEX_PATH."
        )
    return path


def stream_limit(explicit: int | None) -> int:
    """The longest line that is read from Codex, in bytes.

    Raises:
        UserError: What is set is out of bounds, or no number.
    """
    name, value = "codex_subprocess_stream_limit_bytes", explicit
    if value is None and (text := os.environ.get(LIMIT_VARIABLE)) is not None:
        name = LIMIT_VARIABLE
        try:
            value = int(text)
        except ValueError as error:
            raise UserError(f"{LIMIT_VARIABLE} must be an integer number of bytes.") from error
    if value is None:
        return DEFAULT_LIMIT
    if not LEAST_LIMIT <= value <= LARGEST_LIMIT:
        raise UserError(f"{name} must be between {LEAST_LIMIT} and {LARGEST_LIMIT} bytes.")
    return value


def _flags(args: CodexExecArgs) -> Iterator[str]:
    pairs = (
        ("--model", args.model),
        ("--sandbox", args.sandbox_mode),
        ("--cd", args.working_directory),
    )
    for flag, value in pairs:
        if value:
            yield from (flag, value)
    for folder in args.additional_directories or ():
        yield from ("--add-dir", folder)
    if args.skip_git_repo_check:
        yield "--skip-git-repo-check"
    if args.output_schema_file:
        yield from ("--output-schema", args.output_schema_file)


def _settings(args: CodexExecArgs) -> Iterator[tuple[str, str]]:
    if args.model_reasoning_effort:
        yield "model_reasoning_effort", f'"{args.model_reasoning_effort}"'
    if args.network_access_enabled is not None:
        on = str(args.network_access_enabled).lower()
        yield "sandbox_workspace_write.network_access", on
    if args.web_search_mode:
        yield "web_search", f'"{args.web_search_mode}"'
    elif args.web_search_enabled is not None:
        yield "web_search", '"live"' if args.web_search_enabled else '"disabled"'
    if args.approval_policy:
        yield "approval_policy", f'"{args.approval_policy}"'


def _reader(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdin is None:
        raise CodexError("Codex subprocess has no stdin")
    if process.stdout is None:
        raise CodexError("Codex subprocess has no stdout")
    return process.stdout


async def _feed(process: asyncio.subprocess.Process, text: str) -> None:
    assert process.stdin is not None
    # A program that ends before it has read says why by its exit code.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(text.encode())
        await process.stdin.drain()
        process.stdin.close()


async def _collect(stream: asyncio.StreamReader, into: bytearray) -> None:
    while chunk := await stream.read(1024):
        into += chunk


async def _terminate_when(signal_: asyncio.Event, process: asyncio.subprocess.Process) -> None:
    await signal_.wait()
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


async def _put_down(process: asyncio.subprocess.Process, tasks: list[asyncio.Task[None]]) -> None:
    """End the process and all that it has started, and the tasks that belong to it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if group := getattr(process, "pid", None):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.wait()
