"""How a model is to be called: temperature and the like. None means: do not send."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast, overload

from outlast.core.errors import WrongType
from outlast.definitions.pydantic_support import PydanticFriendly, checked, reject_unknown
from outlast.definitions.retry import ModelRetrySettings

if TYPE_CHECKING:
    from openai.types.shared import Reasoning

Headers: TypeAlias = Mapping[str, Any]
Query: TypeAlias = Mapping[str, object]
_EXTRAS = ("extra_query", "extra_body", "extra_headers", "extra_args")
_CONTEXT_MANAGEMENT = {"type", "compact_threshold"}
_PROMPT_CACHE_OPTIONS = {"mode", "ttl"}


@dataclass
class MCPToolChoice(PydanticFriendly):
    """The tool of a provider's MCP server that the model has to call."""

    server_label: str
    name: str

    def to_json_dict(self) -> dict[str, Any]:
        """The choice as JSON."""
        return {"server_label": self.server_label, "name": self.name}


ToolChoice: TypeAlias = str | MCPToolChoice | None

_KINDS: dict[str, Any] = {
    "temperature": float, "top_p": float, "frequency_penalty": float, "presence_penalty": float,
    "parallel_tool_calls": bool, "store": bool, "include_usage": bool, "preserve_raw_usage": bool,
    "max_tokens": int, "top_logprobs": int, "response_include": list, "extra_args": dict,
    "context_management": list,
    "truncation": Literal["auto", "disabled"],
    "verbosity": Literal["low", "medium", "high"],
    "prompt_cache_retention": Literal["in_memory", "24h"],
}  # fmt: skip


class _ReasoningField:
    """A model's default effort is kept as a str until somebody looks, for openai is slow to import."""

    @overload
    def __get__(self, instance: None, owner: type) -> None: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Reasoning | None: ...
    def __get__(self, instance: object | None, owner: type) -> Reasoning | None:
        if instance is None:
            return None
        kept: Any = instance.__dict__["reasoning"]
        if isinstance(kept, str):
            self.__set__(instance, {"effort": kept})
            kept = instance.__dict__["reasoning"]
        return kept

    def __set__(self, instance: object, value: object) -> None:
        if value is not None and type(value).__name__ != "Reasoning":
            from openai.types.shared import Reasoning

            value = Reasoning.model_validate(value)
        instance.__dict__["reasoning"] = value


@dataclass(eq=False)
class ModelSettings(PydanticFriendly):
    """How a model is to be called. An agent's settings, overridden by those of the run."""

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tool_choice: ToolChoice | dict[str, Any] = None
    """`auto`, `required`, `none`, a tool's name or an `MCPToolChoice`."""
    parallel_tool_calls: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_tokens: int | None = None
    reasoning: _ReasoningField = _ReasoningField()
    verbosity: Literal["low", "medium", "high"] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    include_usage: bool | None = None
    """Whether a streamed Chat Completions call asks for its usage."""
    response_include: list[Any] | None = None
    top_logprobs: int | None = None
    extra_query: Mapping[str, object] | None = None
    extra_body: object | None = None
    extra_headers: Headers | None = None
    extra_args: dict[str, Any] | None = None
    """Passed to the provider's client as they are."""
    retry: ModelRetrySettings | dict[str, Any] | None = None
    context_management: list[Any] | None = None
    prompt_cache_options: Any | None = None
    preserve_raw_usage: bool | None = None
    """Whether `ModelResponse.raw_usage` holds the provider's own usage object."""
    timeout: float | None = None
    """Seconds for one attempt, the whole stream included."""

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            if value is not None and name in _CHECKS:
                _CHECKS[name](self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return False
        mine, theirs = dict(self.__dict__), dict(other.__dict__)
        kept = (mine["reasoning"], theirs["reasoning"])
        if None not in kept and type(kept[0]) is not type(kept[1]):
            mine["reasoning"], theirs["reasoning"] = self.reasoning, other.reasoning
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]  # it compares by value

    @classmethod
    def from_dict(cls, given: dict[str, Any], where: str = "") -> Self:
        """The settings in a dict, checked to the last nested name."""
        reject_unknown(given, cls.__dataclass_fields__, where)
        for index, each in enumerate(given.get("context_management") or ()):
            reject_unknown(each, _CONTEXT_MANAGEMENT, f"context_management[{index}]")
        reject_unknown(
            given.get("prompt_cache_options") or {}, _PROMPT_CACHE_OPTIONS, "prompt_cache_options"
        )
        return cls(**given)

    def resolve(self, override: ModelSettings | dict[str, Any] | None) -> ModelSettings:
        """These settings, with what `override` sets.

        `extra_args` and `retry` are merged, everything else is replaced.

        Raises:
            TypeError: `override` is no settings, or has names that settings do not have.
        """
        if override is None:
            return self
        over = settings_from(override, "ModelSettings override", type(self))
        resolved = copy_settings(self)
        kept = resolved.__dict__
        for name, value in over.__dict__.items():
            if value is None or name not in kept:
                continue
            before = kept[name]
            if before is not None and name == "extra_args":
                kept[name] = {**before, **value}
            elif before is not None and name == "retry":
                kept[name] = before.merged(value)
            else:
                kept[name] = value
        return resolved

    def to_json_dict(self) -> dict[str, Any]:
        """The settings as JSON; a retry policy is left out."""
        return {each: _json(getattr(self, each)) for each in self.__dataclass_fields__}

    def to_traceable_dict(self) -> dict[str, Any]:
        """The settings as a trace may show them: without what could hold a secret."""
        hidden = {*_EXTRAS, "preserve_raw_usage"}
        names = (each for each in self.__dataclass_fields__ if each not in hidden)
        return {each: _json(getattr(self, each)) for each in names}


def _json(value: object) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, PydanticFriendly):
        return cast("Any", value).to_json_dict()
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def copy_settings(settings: ModelSettings) -> ModelSettings:
    """The same settings in a new object, without checking them once more."""
    copied = type(settings).__new__(type(settings))
    copied.__dict__.update(settings.__dict__)
    return copied


def settings_from(
    value: object, what: str, kind: type[ModelSettings] = ModelSettings
) -> ModelSettings:
    """`value` as settings, be it settings or a dict.

    Raises:
        TypeError: It is neither, or has names that settings do not have.
    """
    if isinstance(value, ModelSettings):
        return value
    if isinstance(value, dict):
        return kind.from_dict(cast("dict[str, Any]", value))
    raise WrongType(
        f"{what} must be a ModelSettings instance or a dict, got {type(value).__name__}"
    )


# --- Checks, one for each kind of field. -------------------------------------------------


def _check_kind(settings: ModelSettings, name: str, value: object) -> None:
    kind = _KINDS[name]
    if not (type(value) is kind if isinstance(kind, type) else value in kind.__args__):
        setattr(settings, name, checked(value, kind, "ModelSettings", name))


def _check_timeout(settings: ModelSettings, name: str, value: object) -> None:
    if not (type(value) is float and 0 < value < inf):
        bounds = {"gt": 0, "allow_inf_nan": False}
        settings.timeout = checked(value, float, "ModelSettings", name, **bounds)


def _check_metadata(settings: ModelSettings, name: str, value: Any) -> None:
    if type(value) is not dict or {*map(type, cast("dict[str, Any]", value).values())} - {str}:
        settings.metadata = checked(value, dict[str, str], "ModelSettings", name)


def _check_tool_choice(settings: ModelSettings, name: str, value: Any) -> None:
    if isinstance(value, dict):
        choice = cast("dict[str, Any]", value)
        reject_unknown(choice, MCPToolChoice.__dataclass_fields__, name)
        if len(choice) < len(MCPToolChoice.__dataclass_fields__):  # One of the two is missing.
            checked(value, str, "ModelSettings", name)
        settings.tool_choice = MCPToolChoice.from_dict(choice, name)
    elif not isinstance(value, str | MCPToolChoice):
        checked(value, str, "ModelSettings", name)


def _check_mapping(settings: ModelSettings, name: str, value: object) -> None:
    del settings
    if not isinstance(value, Mapping):
        checked(value, dict, "ModelSettings", name)


def _check_retry(settings: ModelSettings, name: str, value: object) -> None:
    if isinstance(value, dict):
        settings.retry = ModelRetrySettings.from_dict(cast("dict[str, Any]", value), name)
    elif not isinstance(value, ModelRetrySettings):
        checked(value, dict, "ModelSettings", name)


_CHECKS = {
    **dict.fromkeys(_KINDS, _check_kind),
    "timeout": _check_timeout,
    "metadata": _check_metadata,
    "tool_choice": _check_tool_choice,
    "retry": _check_retry,
    **dict.fromkeys(("extra_query", "extra_headers", "prompt_cache_options"), _check_mapping),
}

assert set(_CHECKS) <= {each.name for each in dataclasses.fields(ModelSettings)}
