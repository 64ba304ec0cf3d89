"""A process's stdin and stdout as the two streams that the library's sessions speak over."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from outlast.mcp.library import module
from outlast.mcp.lines import PART_BYTES, line_of, messages

FLUSH_S = 0.5
"""How long what was said last may take to be written."""
END_S = 2.0
"""How long a server may take to end once its input has ended."""
TERMINATE_S = 4.0
"""And once it was told to. Its keeper then ends it by itself."""


@asynccontextmanager
async def piped_streams(params: Any, errlog: Any, limit: int | None) -> AsyncGenerator[Any]:
    """What a process that is started here writes, and what it reads; it ends with this block."""
    import anyio

    process = await asyncio.create_subprocess_exec(
        params.command,
        *params.args,
        stdin=PIPE,
        stdout=PIPE,
        stderr=errlog,
        env={**module("client.stdio").get_default_environment(), **(params.env or {})},
        cwd=params.cwd,
        start_new_session=True,
        limit=PART_BYTES,
    )
    heard, read = anyio.create_memory_object_stream[Any](0)
    write, said = anyio.create_memory_object_stream[Any](0)
    reading = asyncio.create_task(_read(process, heard, limit), name="mcp-reader")
    writing = asyncio.create_task(_write(process, said, heard), name="mcp-writer")
    try:
        yield read, write
    finally:
        read.close()
        write.close()
        ending = asyncio.create_task(_end(process, reading, writing))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait([ending])  # Nothing is left behind, whoever is in a hurry.
            raise


async def _read(process: Process, heard: Any, limit: int | None) -> None:
    import anyio

    assert process.stdout is not None
    async with heard:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for message in messages(process.stdout, limit):
                await heard.send(message)
    while await process.stdout.read(PART_BYTES):
        pass  # Nobody listens. It must not wait for us, or it would not hear that its input has ended.


async def _write(process: Process, said: Any, heard: Any) -> None:
    assert process.stdin is not None
    try:
        async with said:
            async for message in said:
                process.stdin.write(line_of(message))
                await process.stdin.drain()
    except OSError:
        await heard.aclose()  # It does not read any more: nobody is to wait for its answers.


async def _end(process: Process, reading: asyncio.Task[None], writing: asyncio.Task[None]) -> None:
    assert process.stdin is not None
    await asyncio.wait([writing], timeout=FLUSH_S)
    process.stdin.close()
    if not await _has_ended(process, END_S):
        with suppress(ProcessLookupError):
            process.terminate()
        if not await _has_ended(process, TERMINATE_S):
            with suppress(ProcessLookupError):
                process.kill()
    for task in (reading, writing):
        task.cancel()
    await asyncio.wait([reading, writing])


async def _has_ended(process: Process, seconds: float) -> bool:
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        return False
    return True
