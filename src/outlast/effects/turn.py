"""What a turn needs from the program: prompt, tools, settings, model.

An agent whose answers need no user code (a fixed prompt, tools that are always on) is prepared
once per process. `fixed_turn` notices, by identity, when somebody has changed such an agent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import sha256
from operator import is_
from typing import Any

import msgspec

from outlast.core.errors import UserError
from outlast.core.events import Call, TurnPrepared
from outlast.core.identity import content_hash
from outlast.core.surrogates import without_surrogates
from outlast.definitions.agent import Agent
from outlast.definitions.computer import ComputerTool
from outlast.definitions.custom_tool import CustomTool
from outlast.definitions.default_models import are_default_settings, default_settings_for
from outlast.definitions.editor import ApplyPatchTool
from outlast.definitions.handoff import Handoff, handoff
from outlast.definitions.hosted_tools import HostedMCPTool
from outlast.definitions.members import check_tools
from outlast.definitions.model import Model
from outlast.definitions.output import AgentOutputSchema, AgentOutputSchemaBase
from outlast.definitions.settings import ModelSettings
from outlast.definitions.shell_tools import LocalShellTool, ShellTool
from outlast.definitions.tool import FunctionTool, Tool
from outlast.effects.config import RunConfig

_log = logging.getLogger("openai.agents")

AnyAgent = Agent
AnyHandoff = Handoff


class PreparedTurn(msgspec.Struct):
    """A turn as user code wants it."""

    agent: AnyAgent
    instructions: str | None
    tools: list[Tool]
    handoffs: list[AnyHandoff]
    schema: AgentOutputSchemaBase | None
    settings: ModelSettings
    prompt: Any = None
    functions: dict[str, FunctionTool] = {}
    transfers: dict[str, AnyHandoff] = {}
    others: dict[str, Tool] = {}
    """Tools that are not functions, by name."""
    stored: dict[str, bytes] | None = None
    """What `blobs` gives, once it was asked for, and the names of the parts."""
    instructions_hash: str | None = None
    tools_hash: str | None = None
    mark: str | None = None
    absent: dict[str, dict[str, Any]] = {}
    """Where the tools came from that the turn had, and that their servers do not offer any more."""

    @property
    def output_mark(self) -> str:
        """What the log knows the type of the final output by; empty for plain text."""
        if self.mark is None:
            self.mark = output_mark(self.schema)
        return self.mark

    def tool(self, call: Call) -> Tool | None:
        """The tool that a call means, if the turn has it."""
        if call.kind == "function":
            return self.functions.get(call.qualified_name)
        kinds = _KINDS.get(call.kind, ())
        return next((t for t in self.tools if isinstance(t, kinds) and _answers(t, call)), None)

    @property
    def blobs(self) -> dict[str, bytes]:
        """What the log keeps of it by its hash."""
        if self.stored is None:
            self.stored = {}
            if self.instructions is not None:
                text = self.instructions.encode("utf-8", "replace")
                self.instructions_hash = content_hash(text)
                self.stored[self.instructions_hash] = text
            if self.tools or self.handoffs:
                document = tool_document(self)
                self.tools_hash = content_hash(document)
                self.stored[self.tools_hash] = document
        return self.stored

    def event(self, key: str, agent: str, *, has_end_hooks: bool) -> TurnPrepared:
        """What of it the log keeps."""
        assert self.blobs is not None  # They have names now.
        return TurnPrepared(
            key,
            agent,
            self.instructions_hash,
            self.tools_hash,
            ending="text" if self.schema is None and not has_end_hooks else "asked",
            tools_may_end=self.agent.tool_use_behavior != "run_llm_again",
        )


def make_turn(
    agent: AnyAgent,
    config: RunConfig,
    instructions: str | None,
    tools: list[Tool],
    handoffs: list[AnyHandoff],
) -> PreparedTurn:
    """A turn of ``agent`` with what is enabled in it.

    Raises:
        UserError: Two of the names are equal and the run's policy says that this is an error.
    """
    check_tools(agent, tools)  # Again: an agent's list may have grown since it was made.
    tools, handoffs = _without_collisions(agent, config, tools, handoffs)
    return PreparedTurn(
        agent,
        instructions,
        tools,
        handoffs,
        output_schema(agent),
        turn_settings(agent, config),
        functions={tool.qualified_name: tool for tool in tools if isinstance(tool, FunctionTool)},
        transfers={transfer.tool_name: transfer for transfer in handoffs},
        others={tool.name: tool for tool in tools if not isinstance(tool, FunctionTool)},
    )


def _without_collisions(
    agent: AnyAgent, config: RunConfig, tools: list[Tool], handoffs: list[AnyHandoff]
) -> tuple[list[Tool], list[AnyHandoff]]:
    """Of functions and handoffs with one name, the last one counts: the one that is dispatched to."""
    owners: dict[str, int] = {}
    names = [t.qualified_name for t in tools if isinstance(t, FunctionTool)]
    names += [transfer.tool_name for transfer in handoffs]
    if len(set(names)) == len(names):
        return tools, handoffs
    doubles = sorted({name for name in names if names.count(name) > 1})
    text = (
        f"Ambiguous function tool configuration of agent {agent.name!r}: the tool name "
        f"`{'`, `'.join(doubles)}` is used by multiple tools. Give each a name of its own "
        "(name_override, tool_name_override)."
    )
    if config.tool_name_collision_policy == "error":
        raise UserError(text)
    _log.warning("%s The last one is used.", text)
    for thing in (*tools, *handoffs):
        if isinstance(thing, FunctionTool):
            owners[thing.qualified_name] = id(thing)
        elif isinstance(thing, Handoff):
            owners[thing.tool_name] = id(thing)
    kept = [
        t for t in tools if not isinstance(t, FunctionTool) or owners[t.qualified_name] == id(t)
    ]
    return kept, [transfer for transfer in handoffs if owners[transfer.tool_name] == id(transfer)]


def output_schema(agent: AnyAgent) -> AgentOutputSchemaBase | None:
    """The schema that the agent's final output has to fit; None for plain text."""
    wanted: Any = agent.output_type
    if wanted is None or wanted is str:
        return None
    return wanted if isinstance(wanted, AgentOutputSchemaBase) else AgentOutputSchema(wanted)


def output_mark(schema: AgentOutputSchemaBase | None) -> str:
    """The name and content hash of an output's schema; empty for plain text."""
    if schema is None or schema.is_plain_text():
        return ""
    try:
        text = msgspec.json.encode(schema.json_schema(), order="sorted", enc_hook=str)
    except Exception:  # noqa: BLE001  # a user's schema, which the model is to complain of
        return schema.name()
    return f"{schema.name()}#{sha256(text).hexdigest()[:16]}"


def turn_settings(agent: AnyAgent, config: RunConfig) -> ModelSettings:
    """The agent's settings under those of the run.

    Settings that are only the defaults of the agent's own model give way to those of the model
    that the run uses instead.
    """
    settings = agent.model_settings
    if config.model is not None or not isinstance(agent.model, Model):
        chosen = config.model if config.model is not None else agent.model
        if not isinstance(chosen, Model) and are_default_settings(settings, agent.model):
            settings = default_settings_for(chosen)
    return settings.resolve(config.model_settings) if config.model_settings else settings


def turn_model(agent: AnyAgent, config: RunConfig) -> Model:
    """The model that answers: the run's before the agent's, an object before a name."""
    choice = agent.model if config.model is None else config.model
    return choice if isinstance(choice, Model) else config.model_provider.get_model(choice)


def as_handoff(target: AnyAgent | AnyHandoff) -> AnyHandoff:
    """A handoff as the loop uses it; an agent stands for a plain handoff to it."""
    return target if isinstance(target, Handoff) else handoff(target)


# --- Agents that need no user code. ------------------------------------------------------


_KINDS: dict[str, tuple[type, ...]] = {
    "computer": (ComputerTool,),
    "custom": (CustomTool,),
    "shell": (ShellTool,),
    "apply_patch": (ApplyPatchTool,),
    "local_shell": (LocalShellTool, ShellTool),
    "mcp_approval": (HostedMCPTool,),
}
"""The tools that answer a kind of call, besides functions."""


def _answers(tool: Tool, call: Call) -> bool:
    """Whether of the tools of a kind this is the one: most kinds have one only, whatever its name."""
    if isinstance(tool, HostedMCPTool):
        return tool.tool_config["server_label"] == call.server
    return not isinstance(tool, CustomTool) or tool.name == call.name


class _Fixed:
    """A turn, and the parts that it was made from, which are compared by identity."""

    def __init__(self, parts: list[Any], turn: PreparedTurn) -> None:
        self.parts = parts
        self.turn = turn

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # A copy of its agent makes its own.


# Kept by the agent: a dictionary would keep every agent, as its turn leads back to it.
_FIXED = "_fixed_turn"


def fixed_turn(agent: AnyAgent, config: RunConfig) -> PreparedTurn | None:
    """The turn of an agent that needs no user code to prepare; None if it does need it."""
    if config.model is not None or config.model_settings is not None:
        return None
    known: _Fixed | None = agent.__dict__.get(_FIXED)
    mcp_tools = agent.steady_mcp_tools()
    if mcp_tools is None:
        return None
    parts = _parts(agent, config, mcp_tools)
    if known and known.turn.agent is agent and _same(known.parts, parts):
        return known.turn
    if not _is_fixed(agent):
        return None
    transfers = [as_handoff(target) for target in agent.handoffs]
    instructions: Any = agent.instructions
    tools = [*mcp_tools, *agent.tools]
    turn = make_turn(agent, config, instructions, tools, transfers)
    object.__setattr__(agent, _FIXED, _Fixed(parts, turn))
    return turn


def _parts(agent: AnyAgent, config: RunConfig, mcp_tools: list[Tool] | None) -> list[Any]:
    """All that a turn is made from. Whatever is compared in here costs every turn of every run."""
    parts: list[Any] = [
        agent.instructions,
        agent.prompt,
        agent.model,
        agent.model_settings,
        agent.output_type,
        config.tool_name_collision_policy,
        mcp_tools,
    ]
    for part in agent.tools:
        parts.append(part)
        parts.append(getattr(part, "name", None))
        if isinstance(part, FunctionTool):
            parts += (
                part.is_enabled,
                part.description,
                part.params_json_schema,
                part.namespace,
            )
    for target in agent.handoffs:
        parts.append(target)
        if isinstance(target, Handoff):
            parts += (target.tool_name, target.is_enabled)
        else:
            parts += (target.name, target.handoff_description)
    return parts


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _is_fixed(agent: AnyAgent) -> bool:
    if agent.prompt is not None or callable(agent.instructions):
        return False
    if type(agent).get_system_prompt is not Agent.get_system_prompt:
        return False
    if type(agent).get_all_tools is not Agent.get_all_tools:
        return False
    if type(agent).get_mcp_tools is not Agent.get_mcp_tools:
        return False
    if not all(getattr(tool, "is_enabled", True) is True for tool in agent.tools):
        return False
    if any(isinstance(tool, FunctionTool) and tool.exclusive_kind for tool in agent.tools):
        return False
    if any(isinstance(tool, ComputerTool) and tool.makes_computer for tool in agent.tools):
        return False
    return all(
        target.is_enabled is True for target in agent.handoffs if isinstance(target, Handoff)
    )


def tool_document(turn: PreparedTurn) -> bytes:
    """What the model is told of a turn's tools, for the log: names, descriptions, schemas."""
    tools = [
        _function_entry(t) if isinstance(t, FunctionTool) else {"name": t.name, **_kind(t)}
        for t in turn.tools
    ]
    transfers = [{"name": h.tool_name, "handoff": h.agent_name} for h in turn.handoffs]
    try:
        return msgspec.json.encode([*tools, *transfers], enc_hook=str)
    except UnicodeEncodeError:
        raise _unsound([*tools, *transfers]) from None


def _function_entry(tool: FunctionTool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": tool.qualified_name,
        "description": tool.description,
        "parameters": tool.params_json_schema,
    }
    if (source := tool.mcp_source) is not None:
        entry["mcp"] = {
            "server": source.server,
            "tool": source.tool,
            "fingerprint": source.fingerprint,
        }
        more = {"hints": source.hints, "identity": source.identity}
        entry["mcp"] |= {name: mark for name, mark in more.items() if mark}
    return entry


def _unsound(told: list[dict[str, Any]]) -> UserError:
    """What is wrong with what the model is to be told of the tools."""
    tool, part = next(
        (each, key)
        for each in told
        for key in each
        if without_surrogates(each[key]) is not each[key]
    )
    return UserError(
        f"There is half of a surrogate pair in the {part} of tool {tool['name']!r}, which cannot be "
        'stored or sent. Decode what it was read from without errors="surrogateescape".'
    )


def _kind(tool: object) -> dict[str, str]:
    """Of a tool that is no function, the kind of its calls and the server that they are of."""
    kind = next((kind for kind, types in _KINDS.items() if isinstance(tool, types)), None)
    if isinstance(tool, HostedMCPTool):
        return {"kind": "mcp_approval", "server": str(tool.tool_config["server_label"])}
    return {"kind": kind} if kind else {}


def was_offered(call: Call, document: Sequence[dict[str, Any]]) -> bool:
    """Whether a turn had the tool that a call means, by what the log keeps of the turn's tools."""
    if call.kind in ("function", "handoff"):
        return True  # Only what the turn had is called so.
    kinds = ("shell", "local_shell") if call.kind == "local_shell" else (call.kind,)
    for entry in document:
        is_it = entry.get("kind") in kinds
        is_it = is_it and (call.kind != "custom" or entry["name"] == call.name)
        if is_it and (call.kind != "mcp_approval" or entry.get("server") == call.server):
            return True
    return False
