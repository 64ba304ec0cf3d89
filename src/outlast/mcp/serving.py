"""An agent as an MCP server: one tool, which is a durable run of the agent."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import Callable
from typing import Any

from outlast.core.errors import AgentsException, AlreadyRunning
from outlast.definitions.agent import Agent
from outlast.definitions.logger import logger
from outlast.effects.config import RunConfig
from outlast.mcp.calls import IDEMPOTENCY_KEY
from outlast.mcp.elicitation import (
    RUN_ID,
    asked_directly,
    decide,
    input_required,
    question,
    resumed_run,
    take_answers,
    waits_by_answer,
)
from outlast.mcp.library import is_v2, module
from outlast.run.runner import Runner
from outlast.views.words import command_line

PAUSE_S = 0.5
"""How long to wait before looking again at a run that somebody else performs."""
MAX_QUESTIONS = 32
"""As many questions are put to a client in one call at most."""


def library_server(name: str, instructions: str) -> Any:
    """The library's own server, which has `run("stdio")` and `streamable_http_app()`."""
    if is_v2():
        return module("server.mcpserver").MCPServer(name, instructions=instructions)
    return module("server.fastmcp").FastMCP(name, instructions=instructions)


def context_class() -> type[Any]:
    """The class of what the library tells a tool about a call."""
    return module("server.mcpserver" if is_v2() else "server.fastmcp").Context


def tool_error(text: str) -> Exception:
    """An error of the library's own, whose text clients read; version 2 hides that of any other."""
    return module(f"server.{'mcpserver' if is_v2() else 'fastmcp'}.exceptions").ToolError(text)


def tool_name(agent_name: str) -> str:
    """An agent's name as one of a tool."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", agent_name).strip("_-").lower()[:64] or "agent"


def agent_as_mcp_server(
    agent: Agent[Any],
    *,
    name: str | None = None,
    description: str | None = None,
    context: Callable[[], Any] | None = None,
    run_config: RunConfig | None = None,
    max_turns: int | None = None,
) -> Any:
    """A server of the `mcp` library with one tool: the agent.

        agent_as_mcp_server(agent).run("stdio")

    A call is a run. A client that sends a key of its own with the call, as the argument `key` or as
    `outlast/idempotency-key` in `_meta`, finds the same run when it calls again, whatever has crashed
    meanwhile. While the run goes on, the client hears of its progress. Calls that wait for a person
    are put to the client as elicitations; where it cannot ask anybody, it is told how the run goes on.

    Args:
        agent: The agent.
        name: Of the server, and of its tool; the agent's name if None.
        description: What clients are told about the tool; the agent's handoff description if None.
        context: Makes the context of each run.
        run_config: For the runs.
        max_turns: For the runs.

    Raises:
        UserError: The `mcp` library is not installed.
    """
    server = library_server(name or agent.name, f"Asks {agent.name!r}.")
    runs = _Runs(agent, context, run_config, max_turns)
    ask = _tool(runs)
    told = description or agent.handoff_description or f"Ask the agent {agent.name!r}."
    server.tool(tool_name(name or agent.name), description=told, structured_output=False)(ask)
    return server


def _tool(runs: _Runs) -> Callable[..., Any]:
    async def ask(message: str, key: str = "", ctx: Any = None) -> Any:
        try:
            return await runs.answer(message, key or _sent_key(ctx), ctx)
        except AgentsException as error:
            # Its text names what is wrong, and holds nothing of what was said.
            raise tool_error(f"{type(error).__name__}: {error}") from None

    # The library looks for its context by this annotation, and its class is known only now.
    kinds = {"message": str, "key": str, "ctx": context_class()}
    ask.__annotations__ = {**kinds, "return": _answer_type()}
    return ask


def _answer_type() -> Any:
    return str | module("types").InputRequiredResult if is_v2() else str


def _sent_key(ctx: Any) -> str:
    meta: Any = ctx.request_context.meta if ctx is not None else None
    fields: dict[str, Any] = meta.model_dump() if hasattr(meta, "model_dump") else meta or {}
    found = fields.get(IDEMPOTENCY_KEY)
    return found if isinstance(found, str) else ""


class _Runs:
    """The runs of one agent that clients have asked for."""

    def __init__(
        self,
        agent: Agent[Any],
        context: Callable[[], Any] | None,
        run_config: RunConfig | None,
        max_turns: int | None,
    ) -> None:
        self._agent = agent
        self._context = context
        self._config = run_config
        self._options: dict[str, Any] = {"run_config": run_config}
        if max_turns is not None:
            self._options["max_turns"] = max_turns
        self._going: dict[str, asyncio.Lock] = {}

    def run_id(self, key: str) -> str:
        """The run that a client's key means."""
        if not key:
            return f"mcp-{uuid.uuid4().hex}"
        if RUN_ID.fullmatch(key):
            return key  # As this server has called the run of a client that sent no key.
        digest = hashlib.sha256(f"{self._agent.name}\0{key}".encode("utf-8", "replace"))
        return f"mcp-{digest.hexdigest()[:32]}"

    async def answer(self, message: str, key: str, ctx: Any) -> Any:
        """What the agent says; of a run that waits, how it goes on."""
        run_id = resumed_run(ctx) or self.run_id(key)
        lock = self._going.setdefault(run_id, asyncio.Lock())
        try:
            async with lock:  # The same call twice at once is one run, which both hear of.
                return await self._performed(run_id, message, ctx)
        finally:
            if not lock.locked():
                self._going.pop(run_id, None)

    async def _performed(self, run_id: str, message: str, ctx: Any) -> Any:
        dismissed = await take_answers(run_id, ctx, self._config)
        result = await self._finished(run_id, message, ctx)
        for _ in range(MAX_QUESTIONS):
            waiting = list(result.interruptions)
            if not waiting:
                return _text(result.final_output)
            if any(item.question_id in dismissed for item in waiting):
                break  # Who does not want to say is not asked again.
            if waits_by_answer(ctx):
                return input_required(run_id, waiting)
            answer = await asked_directly(ctx, question(waiting[0]))
            if answer is None:
                break
            await decide(run_id, waiting[0].question_id, answer, self._config)
            result = await self._finished(run_id, message, ctx)
        return _waiting_text(run_id, list(result.interruptions))

    async def _finished(self, run_id: str, message: str, ctx: Any) -> Any:
        """What the run comes to, whoever performs it: a call that nobody waits for any more goes on."""
        while True:
            try:
                return await self._watched(run_id, message, ctx)
            except AlreadyRunning:
                await _report(ctx, 0, f"run {run_id} goes on")
                await asyncio.sleep(PAUSE_S)

    async def _watched(self, run_id: str, message: str, ctx: Any) -> Any:
        context = self._context() if self._context is not None else None
        result: Any = Runner.run_streamed(
            self._agent, message, run_id=run_id, context=context, **self._options
        )
        count = 0
        async for event in result.stream_events():
            if event.type == "raw_response_event":
                continue
            count += 1
            await _report(ctx, count, _progress_text(event))
        return result


async def _report(ctx: Any, count: int, text: str) -> None:
    try:
        await ctx.report_progress(count, None, text)
    except Exception:  # noqa: BLE001  # a client that has gone hears nothing; the run goes on
        logger.debug("An MCP client could not be told of progress.")


def _progress_text(event: Any) -> str:
    if event.type == "run_item_stream_event":
        name = getattr(event.item, "tool_name", None) or getattr(event.item.raw_item, "name", "")
        return f"{event.name} {name}".strip() if isinstance(name, str) else str(event.name)
    if event.type == "tool_progress_event":
        return f"{event.tool_name} {event.message or ''}".strip()
    return f"agent {event.new_agent.name}" if hasattr(event, "new_agent") else str(event.type)


def _waiting_text(run_id: str, waiting: list[Any]) -> str:
    lines = [f"Run {run_id!r} waits for a person, who decides in the folder of the server:"]
    for item in waiting:
        ways = [command_line(word, run_id, item.question_id) for word in ("approve", "reject")]
        lines += [f"- {question(item)}", *(f"  {way}" for way in ways)]
    return "\n".join([*lines, f"Then ask again with the same key; {run_id!r} is one, too."])


def _text(output: Any) -> str:
    if isinstance(output, str):
        return output
    if hasattr(output, "model_dump_json"):
        return output.model_dump_json()
    import msgspec

    return msgspec.json.encode(output, enc_hook=str).decode()
