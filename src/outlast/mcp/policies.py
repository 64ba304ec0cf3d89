"""What may be said of a server's tools: who approves their calls, which are offered, what is in doubt."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, cast, get_args

from typing_extensions import TypedDict

from outlast.core.errors import UserError
from outlast.definitions.agent import AgentBase
from outlast.definitions.calling import awaited
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.function_tool import NeedsApproval, OnUncertain
from outlast.definitions.logger import logger
from outlast.mcp.library import value
from outlast.mcp.names import public_name

# --- Who approves. -------------------------------------------------------------------------

RequireApprovalPolicy = Literal["always", "never"]
LocalMCPApprovalCallable: TypeAlias = Callable[
    [RunContextWrapper, AgentBase, Any], bool | Awaitable[bool]
]


class RequireApprovalToolList(TypedDict, total=False):
    """Some of a server's tools."""

    tool_names: list[str]


class RequireApprovalObject(TypedDict, total=False):
    """Which tools need a person, and which do not."""

    always: RequireApprovalToolList
    never: RequireApprovalToolList


RequireApprovalMapping: TypeAlias = Mapping[str, RequireApprovalPolicy | bool]
RequireApprovalSetting: TypeAlias = RequireApprovalPolicy | RequireApprovalObject | RequireApprovalMapping | LocalMCPApprovalCallable | bool | None  # fmt: skip

Approval: TypeAlias = bool | dict[str, bool] | LocalMCPApprovalCallable
"""The same, checked: for all tools, by tool (the others need nobody), or asked for each call."""


def approval_policy(setting: Any) -> Approval:
    """``setting`` in its checked form.

    Raises:
        UserError: It is none of the forms that `require_approval` has.
    """
    if setting is None:
        return False
    if not isinstance(setting, Mapping):
        return cast("Approval", setting) if callable(setting) else _is_always("", setting)
    given = cast("Mapping[Any, Any]", setting)
    if _is_grouped(given):
        return _grouped(given)
    return {_tool(name): _is_always(f"['{name}']", each) for name, each in given.items()}


def _tool(name: Any) -> str:
    if isinstance(name, str):
        return name
    raise UserError(f"Invalid require_approval tool name: expected a string, got {name!r}.")


def _is_always(where: str, setting: Any) -> bool:
    if isinstance(setting, bool):
        return setting
    if setting in ("always", "never"):
        return setting == "always"
    raise UserError(
        f"Invalid require_approval value at require_approval{where}: expected 'always' or 'never', "
        f"got {setting!r}."
    )


def _is_grouped(setting: Mapping[Any, Any]) -> bool:
    """Whether it is two lists of tools; a tool may be called `always`."""
    lists = (setting.get(key) for key in ("always", "never"))
    return any(isinstance(each, Mapping) and "tool_names" in each for each in lists)


def _grouped(setting: Mapping[Any, Any]) -> dict[str, bool]:
    if unexpected := sorted(str(key) for key in setting if key not in ("always", "never")):
        raise UserError(
            f"Invalid require_approval tool list policy: unexpected keys {unexpected}; expected only "
            "'always' and 'never'."
        )
    always, never = (_listed(key, setting.get(key, {})) for key in ("always", "never"))
    if both := sorted({*always} & {*never}):
        raise UserError(
            "Invalid require_approval tool list policy: tool names cannot appear in both always and "
            f"never: {both}."
        )
    return {**dict.fromkeys(always, True), **dict.fromkeys(never, False)}


def _listed(key: str, group: Any) -> list[str]:
    place = f"require_approval.{key}"
    if not isinstance(group, Mapping):
        raise UserError(
            f"Invalid require_approval tool list at {place}: expected a mapping with 'tool_names', "
            f"got {type(group).__name__}."
        )
    names = cast("Mapping[str, Any]", group).get("tool_names", [])
    if not isinstance(names, list | tuple | set | frozenset):
        raise UserError(
            f"Invalid require_approval tool_names at {place}.tool_names: expected a list of strings, "
            f"got {type(names).__name__}."
        )
    found = list(cast("list[Any]", names))
    for index, name in enumerate(found):
        if not isinstance(name, str):
            raise UserError(
                f"Invalid require_approval tool name at {place}.tool_names[{index}]: expected a "
                f"string, got {type(name).__name__}."
            )
    return found


def needs_approval(policy: Approval, tool: Any, agent: AgentBase | None) -> NeedsApproval:
    """What a function tool made of ``tool`` says about approvals."""
    if isinstance(policy, bool):
        return policy
    if not callable(policy):
        return policy.get(tool.name, False)
    if agent is None:
        return True  # Nobody is there whom the function could be asked about.
    ask, owner = policy, agent

    async def asked(context: RunContextWrapper, arguments: dict[str, Any], call_id: str) -> bool:
        del arguments, call_id
        return bool(await awaited(ask(context, owner, tool)))

    return asked


# --- Which are offered. --------------------------------------------------------------------


@dataclass
class ToolFilterContext:
    """What a filter gets to know: for whom the list is."""

    run_context: RunContextWrapper
    agent: AgentBase
    server_name: str


class ToolFilterStatic(TypedDict):
    """Which tools of a server there are for agents."""

    allowed_tool_names: NotRequired[list[str]]
    """None but these; an empty list allows none."""
    blocked_tool_names: NotRequired[list[str]]
    """And of those, not these."""


ToolFilterCallable: TypeAlias = Callable[[ToolFilterContext, Any], bool | Awaitable[bool]]
ToolFilter: TypeAlias = ToolFilterCallable | ToolFilterStatic | None


def create_static_tool_filter(
    allowed_tool_names: list[str] | None = None, blocked_tool_names: list[str] | None = None
) -> ToolFilterStatic | None:
    """A filter by names; None if there are none."""
    if allowed_tool_names is None and blocked_tool_names is None:
        return None
    made = ToolFilterStatic()
    if allowed_tool_names is not None:
        made["allowed_tool_names"] = allowed_tool_names
    if blocked_tool_names is not None:
        made["blocked_tool_names"] = blocked_tool_names
    return made


def check_filter(setting: Any) -> None:
    """Refuse, with a `UserError`, what is no filter: a mistyped one would offer every tool."""
    if setting is None or callable(setting):
        return
    lists: Any = cast("Any", setting) if isinstance(setting, Mapping) else {"": ()}
    for key, names in lists.items():
        is_list = isinstance(names, list | tuple | set | frozenset)
        given = cast("list[Any]", names) if is_list else () if names is None else (None,)
        if key not in ToolFilterStatic.__annotations__ or any(type(n) is not str for n in given):
            raise UserError(
                "Invalid tool_filter: expected a function, or a mapping of 'allowed_tool_names' and "
                f"'blocked_tool_names' to lists of strings, got {setting!r}."
            )


async def filtered(
    tool_filter: ToolFilter,
    tools: list[Any],
    about: tuple[RunContextWrapper | None, AgentBase | None, str],
) -> list[Any]:
    """Those of ``tools`` that a filter lets through, in their order.

    A filter that raises lets nothing through: a tool is offered only where somebody has said so.

    Raises:
        UserError: The filter is a function, and it is not known for whom the list is.
    """
    run_context, agent, server_name = about
    if tool_filter is None:
        return tools
    if not callable(tool_filter):
        return _statically(tool_filter, tools)
    if run_context is None or agent is None:
        raise UserError(
            "run_context and agent are required for dynamic tool filtering: the tool_filter of MCP server "
            f"{public_name(server_name)!r} is a function. Call list_tools(run_context, agent)."
        )
    context = ToolFilterContext(run_context, agent, server_name)
    # Each is asked about a copy: what a filter changes in it is not in the list.
    return [tool for tool in tools if await _passes(tool_filter, context, _copy(tool))]


def names_in(server: Any) -> dict[str, set[str]]:
    """By setting of a server, the tools that are named in it."""
    found: dict[str, set[str]] = {}
    for setting, policy in (
        ("require_approval", server.approval),
        ("on_uncertain", server.on_uncertain),
    ):
        if isinstance(policy, Mapping):
            found[setting] = {*cast("Mapping[str, Any]", policy)} - {"*"}
    lists: Any = server.tool_filter
    if isinstance(lists, dict):
        every = cast("dict[str, Any]", lists).values()
        found["tool_filter"] = {name for names in every for name in names or ()}
    return found


def _copy(tool: Any) -> Any:
    return tool.model_copy(deep=True) if hasattr(tool, "model_copy") else tool


def _statically(tool_filter: ToolFilterStatic, tools: list[Any]) -> list[Any]:
    allowed = tool_filter.get("allowed_tool_names")
    blocked = tool_filter.get("blocked_tool_names")
    kept = tools if allowed is None else [tool for tool in tools if tool.name in allowed]
    return [*kept] if blocked is None else [tool for tool in kept if tool.name not in blocked]


async def _passes(ask: ToolFilterCallable, context: ToolFilterContext, tool: Any) -> bool:
    try:
        answer = ask(context, tool)
        return bool(await answer if inspect.isawaitable(answer) else answer)
    except Exception:  # noqa: BLE001  # a user's function
        logger.exception(
            "The tool_filter of MCP server %s raised for one of its tools, which is left out.",
            public_name(context.server_name),
        )
        return False


# --- What is in doubt. ---------------------------------------------------------------------

UncertainSetting: TypeAlias = (
    OnUncertain | Mapping[str, OnUncertain] | Callable[[Any], OnUncertain | None] | None
)
"""For all tools of a server, by tool (`"*"` for the others), or a function of the tool."""


def uncertain_policy(setting: UncertainSetting, tool: Any) -> OnUncertain:
    """What to do about a call of ``tool`` that was started and has no recorded result.

    Where nobody has said anything, a tool of which its server says that it changes nothing, or that
    calling it twice is as calling it once, is called again; of any other the model is told that
    nobody knows.
    """
    said: Any = setting
    if isinstance(setting, Mapping):
        by_name = cast("Mapping[str, Any]", setting)
        said = by_name.get(tool.name, by_name.get("*"))
    elif callable(setting):
        said = setting(tool)
    if said is not None:
        return _checked(said)
    return "retry" if is_repeatable(tool) else "once"


def check_uncertain(setting: UncertainSetting) -> None:
    """Refuse what `uncertain_policy` could not use.

    Raises:
        UserError: One of the policies is none.
    """
    if setting is None or callable(setting):
        return
    for each in setting.values() if isinstance(setting, Mapping) else (setting,):
        _checked(each)


def _checked(policy: Any) -> OnUncertain:
    if policy in get_args(OnUncertain):
        return policy
    raise UserError(
        f"on_uncertain of an MCP server must be 'retry', 'once' or 'ask', got {policy!r}."
    )


def is_repeatable(tool: Any) -> bool:
    """Whether a server says of a tool that a second call does no harm."""
    hints = getattr(tool, "annotations", None)
    if hints is None:
        return False
    return value(hints, "read_only_hint") is True or value(hints, "idempotent_hint") is True


def forbids_repeats(tool: Any) -> bool:
    """Whether a server says of a tool that a second call may do harm."""
    hints = getattr(tool, "annotations", None)
    if hints is None or is_repeatable(tool):
        return False
    return value(hints, "destructive_hint") is True or value(hints, "idempotent_hint") is False
