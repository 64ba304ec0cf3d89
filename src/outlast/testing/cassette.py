"""Recording what a model answers, once, and playing it from then on: a cassette for tests."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, cast

from outlast.core.errors import UserError
from outlast.core.records import UsageFacts
from outlast.core.usage import Usage, facts_of, usage_of
from outlast.definitions.model import Model
from outlast.definitions.run_items import ModelResponse
from outlast.effects.projection import typed, wire
from outlast.models.secrets import without_secrets
from outlast.models.streaming import reply_events

Mode = Literal["auto", "record", "replay"]


class RecordingModel(Model):
    """Asks another model what has not been asked before, and answers the rest from a file.

    A request is known by what is in it: instructions, input, tools, output type. The same one asked
    several times is answered in the order in which it was answered then. The file holds no header and no
    key, and what looks like a secret in a text is taken out before it is written.

    Args:
        model: Is asked; None where everything is in the file.
        path: The file, a line of JSON for each call.
        mode: ``"auto"`` records what is missing, ``"record"`` begins anew, ``"replay"`` asks nobody.
    """

    def __init__(self, model: Model | None, path: str | Path, *, mode: Mode = "auto") -> None:
        self._model = model
        self._path = Path(path)
        self._mode: Mode = "replay" if model is None else mode
        self._played: dict[str, int] = {}
        self._calls: dict[str, list[dict[str, Any]]] = {}
        if mode == "record":
            self._path.unlink(missing_ok=True)
        elif self._path.exists():
            for call in _recorded(self._path):
                self._calls.setdefault(call["request"], []).append(call)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """The recorded answer, or a new one that is recorded.

        Raises:
            UserError: It is not recorded, and nobody may be asked.
        """
        name, shown = _request(args, kwargs)
        if (known := self._next(name)) is not None:
            return _response(known)
        if self._mode == "replay" or self._model is None:
            raise UserError(
                f"{self._path} has no answer to this request: {shown}. Something that the model is given "
                "has changed; record it anew with mode='auto' or 'record'."
            )
        response = await self._model.get_response(*args, **kwargs)
        self._keep(name, shown, response)
        return response

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The same as a stream: a recorded answer comes in one piece."""
        response = await self.get_response(*args, **kwargs)
        for event in reply_events(response, model="recorded"):
            yield event

    async def close(self) -> None:
        """Close the model behind it."""
        if self._model is not None:
            await self._model.close()

    def _next(self, name: str) -> dict[str, Any] | None:
        calls, number = self._calls.get(name, []), self._played.get(name, 0)
        if number >= len(calls):
            return None
        self._played[name] = number + 1
        return calls[number]

    def _keep(self, name: str, shown: str, response: ModelResponse) -> None:
        call: dict[str, Any] = {
            "request": name,
            "about": shown,
            "output": [wire(item) for item in response.output],
            "usage": _counts(response.usage),
            "response_id": response.response_id,
        }
        self._calls.setdefault(name, []).append(call)
        self._played[name] = self._played.get(name, 0) + 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = without_secrets(json.dumps(call, ensure_ascii=False))
        private = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(private, "a", encoding="utf-8", errors="replace") as file:
            file.write(f"{line}\n")


def _recorded(path: Path) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            call = json.loads(line)
        except ValueError:
            call = None
        if not isinstance(call, dict) or not cast("dict[str, Any]", call).keys() >= _PARTS:
            raise UserError(
                f"{path}, line {number} is no recorded call; it may have been cut short. Expected what "
                "RecordingModel writes: take the line out, and it is recorded anew."
            )
        calls.append(cast("dict[str, Any]", call))
    return calls


_PARTS = {"request", "output", "usage", "response_id"}
_ASKED = ("system_instructions", "input", "model_settings", "tools", "output_schema", "handoffs")


def _request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str]:
    """What a request is known by, and what of it is shown where it is missing."""
    asked = dict(zip(_ASKED, args, strict=False)) | kwargs
    schema: Any = asked.get("output_schema")
    tools: list[Any] = asked.get("tools") or []
    handoffs: list[Any] = asked.get("handoffs") or []
    about: dict[str, Any] = {
        "instructions": asked.get("system_instructions"),
        "input": _plain(asked.get("input")),
        "tools": [_tool(tool) for tool in tools],
        "handoffs": [target.tool_name for target in handoffs],
        "output": None if schema is None or schema.is_plain_text() else schema.name(),
    }
    text = without_secrets(json.dumps(about, sort_keys=True, default=str))
    items: Any = about["input"]
    count = 1 if isinstance(items, str) else len(items)
    shown = f"{count} items, tools {[each[0] for each in about['tools']]}"
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32], shown


def _tool(tool: Any) -> list[Any]:
    return [getattr(tool, "qualified_name", tool.name), getattr(tool, "params_json_schema", None)]


def _plain(given: Any) -> Any:
    return [wire(item) for item in cast("list[Any]", given)] if isinstance(given, list) else given


def _response(call: dict[str, Any]) -> ModelResponse:
    output = [typed(item) for item in call["output"]]
    usage = usage_of(UsageFacts(**call["usage"]))
    return ModelResponse(output=output, usage=usage, response_id=call["response_id"])


def _counts(usage: Usage) -> dict[str, int]:
    facts = facts_of(usage)
    return {name: getattr(facts, name) for name in facts.__struct_fields__}
