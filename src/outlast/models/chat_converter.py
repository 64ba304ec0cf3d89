"""The translation between Outlast's items and definitions and those of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from outlast.core.errors import UserError
from outlast.definitions.handoff import Handoff
from outlast.definitions.settings import MCPToolChoice
from outlast.definitions.tool import FunctionTool, Tool
from outlast.definitions.tool_callers import may_be_programmatic
from outlast.models.chat_messages import Conversion, as_dict, is_input_message
from outlast.models.chat_parts import all_parts, text_parts
from outlast.models.chat_reply import output_items
from outlast.models.reasoning_replay import ShouldReplayReasoningContent
from outlast.models.responses_tools import function_facts, output_format

if TYPE_CHECKING:
    from outlast.definitions.output import AgentOutputSchemaBase


class Converter:
    """The translation to Chat Completions and back; it changes none of its arguments."""

    @classmethod
    def items_to_messages(  # noqa: PLR0913 (upstream's signature)
        cls,
        items: str | Iterable[Any],
        model: str | None = None,
        preserve_thinking_blocks: bool = False,
        preserve_tool_output_all_content: bool = False,
        base_url: str | None = None,
        should_replay_reasoning_content: ShouldReplayReasoningContent | None = None,
        strict_feature_validation: bool = False,
    ) -> list[Any]:
        """The messages that say what ``items`` say.

        Args:
            items: A conversation, oldest first; a string is one message of the user.
            model: The model that is asked. Without it no reasoning is sent.
            preserve_thinking_blocks: Send Claude its signed thinking back.
            preserve_tool_output_all_content: Send results of tools with their images and files.
            base_url: The endpoint, for the hook.
            should_replay_reasoning_content: Whether a reasoning item is sent as
                `reasoning_content`. DeepSeek gets its own if None.
            strict_feature_validation: Refuse a tool's result without text instead of sending a
                placeholder.

        Raises:
            UserError: An item has no form in Chat Completions.
        """
        conversion = Conversion(
            model=model,
            base_url=base_url,
            keeps_thinking=preserve_thinking_blocks,
            keeps_media=preserve_tool_output_all_content,
            should_replay=should_replay_reasoning_content,
            is_strict=strict_feature_validation,
        )
        return conversion.of(items)

    @classmethod
    def message_to_output_items(
        cls,
        message: object,
        provider_data: dict[str, Any] | None = None,
        strict_feature_validation: bool = False,
    ) -> list[Any]:
        """The items that say what a model's ``message`` says; see `chat_reply.output_items`."""
        return output_items(message, provider_data or {}, is_strict=strict_feature_validation)

    @classmethod
    def tool_to_openai(cls, tool: Tool) -> Any:
        """A tool as a request carries it.

        Raises:
            UserError: Only the Responses API has this kind of tool, or one of its features.
        """
        if not isinstance(tool, FunctionTool):
            raise UserError(
                "Hosted tools are not supported with the ChatCompletions API, and "
                f"{type(tool).__name__} is not a function tool. Use a Responses model."
            )
        _check_features(tool)
        return {"type": "function", "function": function_facts(tool)}

    @classmethod
    def convert_handoff_tool(cls, handoff: Handoff) -> Any:
        """A handoff as the function that a request carries for it."""
        return {"type": "function", "function": function_facts(handoff)}

    @classmethod
    def convert_tool_choice(cls, tool_choice: object) -> Any:
        """What the request says about which tool to call; `openai.omit` for None.

        Raises:
            UserError: The choice is one that only the Responses API has.
        """
        from openai import omit

        if tool_choice is None:
            return omit
        if isinstance(tool_choice, MCPToolChoice):
            raise UserError(
                "MCPToolChoice is not supported for Chat Completions models. Name a function "
                "tool, or use a Responses model."
            )
        if tool_choice == "programmatic_tool_calling":
            raise UserError(
                "tool_choice='programmatic_tool_calling' is only supported with OpenAI Responses "
                "models. Name a function tool, or use a Responses model."
            )
        if tool_choice in ("auto", "required", "none"):
            return tool_choice
        return {"type": "function", "function": {"name": tool_choice}}

    @classmethod
    def convert_response_format(cls, final_output_schema: AgentOutputSchemaBase | None) -> Any:
        """The setting that asks for an output schema; `openai.omit` for plain text."""
        from openai import omit

        wanted = output_format(final_output_schema)
        return omit if wanted is None else {"type": "json_schema", "json_schema": wanted}

    extract_all_content = staticmethod(all_parts)
    extract_text_content = staticmethod(text_parts)

    @classmethod
    def maybe_input_message(cls, item: object) -> Any | None:
        """``item`` if it is a message to the model that says that it is a message."""
        known = as_dict(item) or {}
        is_typed = known.get("type") == "message" and is_input_message(known)
        return item if is_typed and known["role"] != "assistant" else None


def _check_features(tool: FunctionTool) -> None:
    used = {
        "tool_namespace()": tool.namespace is not None,
        "defer_loading=True": tool.defer_loading,
        "allowed_callers with 'programmatic'": may_be_programmatic(tool.allowed_callers),
    }
    names = ", ".join(name for name, is_used in used.items() if is_used)
    if names:
        raise UserError(
            f"Tool {tool.name!r} uses {names}, which is only supported with OpenAI Responses "
            "models. Leave it away for Chat Completions, or use a Responses model."
        )
