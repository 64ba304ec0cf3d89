"""A process's stdin and stdout as the two streams that the library's sessions speak over."""

from __future__ import annotations

import asyncio
import math
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from outlast.mcp.library import module
from outlast.mcp.lines import PART_BYTES, line_of, messages

FLUSH_S = 0.5
"""How long what was said last may take to be written."""
END_S = 2.0
"""How long a server may take to end once its input has ended."""
TERMINATE_S = 4.0
"""And once it was told to. Its keeper then ends it by itself."""


LAST_WORDS_S = 1.0
"""How long what an ended server wrote may take to be read, where its children hold the pipe open."""


class Limits(NamedTuple):
    """What a server may keep us waiting for, and with how much."""

    line_bytes: int | None
    stall_s: float | None
    """How long it may neither read what we write nor say anything; for ever if None."""


class Signs:
    """The signs of life of a process."""

    def __init__(self) -> None:
        self.has_ended = asyncio.Event()
        self.heard_at = math.inf
        """When it said something last, by the loop's clock; inf if nobody listens for that."""


class _Watched(SubprocessStreamProtocol):
    """Notes the signs of life, also that the process ends while a child of it goes on with its pipes."""

    def __init__(self, signs: Signs) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(limit=PART_BYTES, loop=loop)
        self._signs = signs
        signs.heard_at = loop.time()

    def process_exited(self) -> None:
        """Note that it has ended."""
        super().process_exited()
        self._signs.has_ended.set()

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        """Note when it said something."""
        self._signs.heard_at = asyncio.get_running_loop().time()
        super().pipe_data_received(fd, data)


@asynccontextmanager
async def piped_streams(
    params: Any, errlog: Any, limits: Limits, signs: Signs
) -> AsyncGenerator[Any]:
    """What a process that is started here writes, and what it reads; it ends with this block."""
    import anyio

    loop = asyncio.get_running_loop()
    transport, watched = await loop.subprocess_exec(
        lambda: _Watched(signs),
        params.command,
        *params.args,
        stdin=PIPE,
        stdout=PIPE,
        stderr=errlog,
        env={**module("client.stdio").get_default_environment(), **(params.env or {})},
        cwd=params.cwd,
        start_new_session=True,
    )
    process = Process(transport, watched, loop)
    heard, read = anyio.create_memory_object_stream[Any](0)
    write, said = anyio.create_memory_object_stream[Any](0)
    reading = asyncio.create_task(_read(process, heard, limits.line_bytes), name="mcp-reader")
    writing = _write(process, said, heard, signs, limits.stall_s)
    tasks = [
        reading,
        asyncio.create_task(writing, name="mcp-writer"),
        asyncio.create_task(_close_behind(signs, reading, heard), name="mcp-watcher"),
    ]
    try:
        yield read, write
    finally:
        read.close()
        write.close()
        ending = asyncio.create_task(_end(process, signs, tasks))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait([ending])  # Nothing is left behind, whoever is in a hurry.
            raise
        finally:
            transport.close()


async def _read(process: Process, heard: Any, limit: int | None) -> None:
    import anyio

    assert process.stdout is not None
    assert process.stdin is not None
    async with heard:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for message in messages(process.stdout, limit, process.stdin.write):
                await heard.send(message)
    while await process.stdout.read(PART_BYTES):
        pass  # Nobody listens. It must not wait for us, or it would not hear that its input has ended.


async def _write(
    process: Process, said: Any, heard: Any, signs: Signs, stall_s: float | None
) -> None:
    assert process.stdin is not None
    try:
        async with said:
            async for message in said:
                process.stdin.write(line_of(message))
                await _drained(process.stdin, signs, stall_s)
    except OSError:
        await heard.aclose()  # It does not read any more: nobody is to wait for its answers.


async def _drained(stdin: asyncio.StreamWriter, signs: Signs, stall_s: float | None) -> None:
    """Wait until the server has read enough of what was written.

    Raises:
        TimeoutError: For ``stall_s`` it has neither read that, nor said anything.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    draining = asyncio.ensure_future(stdin.drain())
    try:
        while stall_s is not None and not draining.done():
            left = max(began, signs.heard_at) + stall_s - loop.time()
            if left <= 0:
                raise TimeoutError
            await asyncio.wait([draining], timeout=left)
        await draining
    finally:
        draining.cancel()


async def _close_behind(signs: Signs, reading: asyncio.Task[None], heard: Any) -> None:
    """Let nobody wait for a process that has ended, though a child of it holds its pipes."""
    await signs.has_ended.wait()
    await asyncio.wait([reading], timeout=LAST_WORDS_S)
    await heard.aclose()


async def _end(process: Process, signs: Signs, tasks: list[asyncio.Task[None]]) -> None:
    assert process.stdin is not None
    _, writing, _ = tasks
    await asyncio.wait([writing], timeout=FLUSH_S)
    process.stdin.close()
    if not await _has_ended(signs, END_S):
        with suppress(ProcessLookupError):
            process.terminate()
        if not await _has_ended(signs, TERMINATE_S):
            with suppress(ProcessLookupError):
                process.kill()
            await _has_ended(signs, END_S)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _has_ended(signs: Signs, seconds: float) -> bool:
    try:
        await asyncio.wait_for(signs.has_ended.wait(), seconds)
    except TimeoutError:
        return False
    return True
