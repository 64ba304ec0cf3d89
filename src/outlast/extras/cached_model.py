"""Answers that are asked for once: a model that remembers what it has said, across runs.

A run's own log keeps a model from being asked twice for the same turn. This is for another run that asks
the same question. A request is known by the hash of all that the model would get; what is kept is the
answer, and never the question.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from outlast.calls.fallback import FallbackModel, Paced, health_key
from outlast.core.errors import ModelBehaviorError, UserError
from outlast.core.identity import content_hash
from outlast.core.usage import Usage
from outlast.definitions.clock import wall_s
from outlast.definitions.function_tool import FunctionTool
from outlast.definitions.handoff import Handoff
from outlast.definitions.limits import ModelEndpoint
from outlast.definitions.logger import logger
from outlast.definitions.model import Model
from outlast.definitions.output import AgentOutputSchemaBase
from outlast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from outlast.definitions.run_items import ModelResponse
from outlast.definitions.settings import ModelSettings
from outlast.effects.projection import typed, wire
from outlast.journal.files import write_whole
from outlast.models.provider import MultiProvider
from outlast.models.streaming import reply_events, reply_of

_ASKED = ("instructions", "input", "settings", "tools", "schema", "handoffs", "tracing")
_ELSEWHERE = ("previous_response_id", "conversation_id")


class AnswerCache(Protocol):
    """Keeps answers for a while."""

    async def get(self, key: str) -> bytes | None:
        """What is kept under a key, and has not expired."""
        ...

    async def put(self, key: str, data: bytes, keep_s: float) -> None:
        """Keep ``data`` for so many seconds."""
        ...


class FolderAnswers:
    """Keeps answers in a folder, which processes and machines may share. Each is a file (0600).

    Args:
        path: The folder. Files in it may be deleted at any time.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()

    async def get(self, key: str) -> bytes | None:
        """What is kept under a key, and has not expired."""
        return await asyncio.to_thread(self._read, self._file(key))

    async def put(self, key: str, data: bytes, keep_s: float) -> None:
        """Keep ``data`` for so many seconds."""
        until = f"{wall_s() + keep_s:.3f}\n".encode()
        await asyncio.to_thread(write_whole, self._file(key), until + data)

    def _file(self, key: str) -> Path:
        return self._path / key[:2] / key[2:]

    def _read(self, file: Path) -> bytes | None:
        try:
            until, _, data = file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if float(until) > wall_s():
            return data
        file.unlink(missing_ok=True)
        return None


class RedisAnswers:
    """Keeps answers in Redis, which forgets them by itself. Needs the extra ``redis``.

    Args:
        client: An `asyncio` client of `redis`, without `decode_responses`. It stays the caller's.
        prefix: What the keys begin with.
    """

    def __init__(self, client: Any, prefix: str = "outlast:answer:") -> None:
        self._client, self._prefix = client, prefix

    async def get(self, key: str) -> bytes | None:
        """What is kept under a key, and has not expired."""
        return await self._client.get(self._prefix + key)

    async def put(self, key: str, data: bytes, keep_s: float) -> None:
        """Keep ``data`` for so many seconds."""
        await self._client.set(self._prefix + key, data, px=max(1, int(keep_s * 1000)))


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept."""

    output: list[dict[str, Any]]
    response_id: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Answer).decode


class CachedModel(Model):
    """A model that answers a request from a cache, if it has answered the same one before.

    Same is what has the same model, endpoint, instructions, input, settings, tools, output type and
    handoffs. An answer from the cache costs nothing: its usage is 0 requests and 0 tokens. Two
    requests at the same moment are both asked. Calls that go on from what a provider keeps
    (`previous_response_id`, `conversation_id`) are always asked, and answers that were cut short
    are not kept. A cache that fails is warned of and passed by.

    Args:
        model: A name, or a model.
        cache: A folder, or a cache.
        keep_s: How long an answer counts.

    Raises:
        UserError: The model is a list of models, or paced: cache its members.
    """

    def __init__(
        self,
        model: str | Model,
        cache: str | os.PathLike[str] | AnswerCache,
        *,
        keep_s: float = 86_400.0,
    ) -> None:
        if isinstance(model, FallbackModel | Paced):
            raise UserError(
                f"CachedModel(...) takes one model, got a {type(model).__name__}. Write "
                "FallbackModel([CachedModel(...), ...]), or Paced(CachedModel(...))."
            )
        self._inner = model
        self._cache = FolderAnswers(cache) if isinstance(cache, str | os.PathLike) else cache
        self._keep_s = keep_s

    @property
    def model(self) -> str:
        """The name of the model behind it."""
        name: Any = (
            self._inner if isinstance(self._inner, str) else getattr(self._inner, "model", None)
        )
        return name if isinstance(name, str) else type(self._inner).__name__

    def endpoint(self) -> ModelEndpoint | None:
        return self._asked().endpoint()

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        return self._asked().get_retry_advice(request)

    async def close(self) -> None:
        if isinstance(self._inner, Model):
            await self._inner.close()

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """The answer that is kept, or a new one."""
        key = self._key(args, kwargs)
        if (known := await self._known(key)) is not None:
            return known
        response = await self._asked().get_response(*args, **kwargs)
        await self._keep(key, response)
        return response

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The same as a stream. An answer that is kept comes in one piece."""
        key = self._key(args, kwargs)
        if (known := await self._known(key)) is not None:
            try:
                events = reply_events(known, model=self.model)
            except ModelBehaviorError:  # It has an item that no stream of ours can tell.
                key = ""
            else:
                for event in events:
                    yield event
                return
        async for event in self._asked().stream_response(*args, **kwargs):
            if event.type == "response.completed":
                await self._keep(key, reply_of(event.response))
            yield event

    def _asked(self) -> Model:
        if isinstance(self._inner, str):
            self._inner = MultiProvider().get_model(self._inner)
        return self._inner

    def _key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """What a request is known by; nothing, where the answer hangs on something else."""
        asked = dict(zip(_ASKED, args, strict=False)) | dict(kwargs)
        if any(asked.get(name) for name in _ELSEWHERE):
            return ""
        asked.pop("tracing", None)
        asked["model"] = health_key(self._asked(), self.model)
        return content_hash(msgspec.json.encode(_plain(asked), order="sorted"))

    async def _known(self, key: str) -> ModelResponse | None:
        if not key:
            return None
        try:
            data = await self._cache.get(key)
            answer = None if data is None else _decode(data)
        except Exception as error:  # noqa: BLE001  # a cache is anybody's
            self._warn("read", error)
            return None
        if answer is None:
            return None
        return ModelResponse([typed(each) for each in answer.output], Usage(), answer.response_id)

    async def _keep(self, key: str, response: ModelResponse) -> None:
        output = [wire(each) for each in response.output]
        if not key or not output or any(each.get("status") == "incomplete" for each in output):
            return
        try:
            await self._cache.put(key, _encode(_Answer(output, response.response_id)), self._keep_s)
        except Exception as error:  # noqa: BLE001  # a cache is anybody's
            self._warn("written", error)

    def _warn(self, verb: str, error: Exception) -> None:
        kind = type(error).__name__
        logger.warning(
            "The cache of answers cannot be %s (%s): %s is asked.", verb, kind, self.model
        )


def _plain(value: Any) -> Any:
    """What a model would be given, as data that is the same in every process."""
    match value:
        case None | str() | int() | float():
            return value
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value).items()
            return {str(name): _plain(each) for name, each in pairs}
        case list() | tuple():
            return [_plain(each) for each in cast("list[Any]", value)]
        case ModelSettings():
            return {**value.to_json_dict(), "retry": None}
        case FunctionTool():
            return [
                value.name,
                value.description,
                value.params_json_schema,
                value.strict_json_schema,
            ]
        case Handoff():
            return [value.tool_name, value.tool_description, value.input_json_schema]
        case AgentOutputSchemaBase():
            is_text = value.is_plain_text()
            return None if is_text else [value.json_schema(), value.is_strict_json_schema()]
        case _:
            return _plain_object(value)


def _plain_object(value: Any) -> Any:
    if not isinstance(value, type) and is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        named = {name: _plain(each) for name, each in parts.items() if not callable(each)}
        return [type(value).__qualname__, named]
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if dump and not isinstance(value, type) else type(value).__qualname__
