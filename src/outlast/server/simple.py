"""An agent as a handler of the standard library, which platforms for functions take as it is."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from outlast.core.errors import AgentsException, RunConflict, UserError
from outlast.definitions.agent import Agent
from outlast.definitions.logger import logger
from outlast.run.runner import Runner

BODY_BYTES = 4 * 2**20


def simple_handler(agent: Agent[Any], **options: Any) -> type[BaseHTTPRequestHandler]:
    """A handler that answers ``POST {"message": ...}`` with what the agent says.

    A ``run_id`` in the body makes a request safe to repeat. Who may ask is the platform's business.

    Args:
        agent: The agent.
        options: What `Runner.run` takes by keyword.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                code, body = 200, _answered(agent, self._sent(), options)
            except (ValueError, KeyError, TypeError, RunConflict, UserError) as error:
                code, body = 400, {"error": f"Send a JSON object with a message: {_name(error)}."}
            except AgentsException as error:
                logger.warning("A request failed of %s.", _name(error))
                code, body = 502, {"error": _name(error)}
            self._send(code, body)

        def _sent(self) -> Any:
            length = int(self.headers.get("content-length") or 0)
            if not 0 <= length <= BODY_BYTES:
                raise ValueError(length)
            return json.loads(self.rfile.read(length))

        def _send(self, code: int, body: dict[str, Any]) -> None:
            sent = json.dumps(body, default=str).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            logger.debug(format, *args)

    return Handler


def _answered(agent: Agent[Any], sent: Any, options: dict[str, Any]) -> dict[str, Any]:
    run = Runner.run(agent, str(sent["message"]), run_id=sent.get("run_id"), **options)
    result = asyncio.run(run)  # A thread of a server has no loop, and leaves none behind.
    waiting = [call.call_id for call in result.interruptions]
    return {"response": result.final_output, "run_id": result.run_id, "waits_for": waiting}


def _name(error: Exception) -> str:
    return type(error).__name__
