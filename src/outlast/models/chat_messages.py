"""A conversation in items as the messages of Chat Completions.

One turn of the model is several items (reasoning, a message, calls) and one message, so a message
stays open until something follows that is not of the model. Reasoning waits for the message that
it led to.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from outlast.core.errors import UserError
from outlast.definitions.logger import logger
from outlast.models import opaque
from outlast.models.call_ids import sent_id
from outlast.models.chat_fields import merged
from outlast.models.chat_history import paired_messages, plain_items
from outlast.models.chat_parts import Wire, all_parts, text_parts
from outlast.models.chat_reply import SIGNED_ID, SIGNED_IN, thinking_blocks
from outlast.models.fake_id import FAKE_RESPONSES_ID
from outlast.models.reasoning_replay import (
    REASONING_FIELD,
    THINKING_BLOCKS,
    ReasoningContentReplayContext,
    ReasoningContentSource,
    ShouldReplayReasoningContent,
    default_should_replay_reasoning_content,
    is_own as may_be_own,
)

OMITTED = "[tool output omitted]"
_ROLES = ("user", "system", "developer", "assistant")
_SAID = ("output_text", "refusal", "output_audio")


@dataclass(kw_only=True)
class Conversion:
    """How items become messages for one model, and the messages so far."""

    model: str | None = None
    base_url: str | None = None
    keeps_thinking: bool = False
    """Whether signed thinking goes back to the model that signed it."""
    keeps_own_thinking: bool = True
    """Whether signed thinking goes back also where nothing asks for thinking now."""
    keeps_media: bool = False
    """Whether a tool's result may have parts that are not text."""
    should_replay: ShouldReplayReasoningContent | None = None
    """Whether earlier reasoning is sent as `reasoning_content`; DeepSeek gets its own if None."""
    is_official: bool = False
    """Whether OpenAI is asked, which takes fewer kinds of content from a user than others."""
    is_strict: bool = False
    """Whether a tool's result without text is refused; else a placeholder is sent."""
    translates: bool = False
    """Whether what other APIs have is translated or left out; else it is refused."""
    signs_in: str = "extra_content"
    """Where Gemini's signature of a call goes, unless it is known where it came from."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """What could not be said, by its kind, and how often."""
    messages: list[Wire] = field(default_factory=list[Wire])
    _open: Wire | None = None
    _searches: list[Wire] = field(default_factory=list[Wire])
    """Answers to the open message's searches, which the provider's own search has answered."""
    _fields: Wire = field(default_factory=dict[str, Any])
    """Reasoning for the next message, by the message's field."""
    _blocks: list[Wire] = field(default_factory=list[Wire])
    """Reasoning for the next message's content."""
    _ids: dict[str, str] = field(default_factory=dict[str, str])
    """By the ids of calls, those that are sent."""

    def of(self, items: str | Iterable[Any]) -> list[Wire]:
        """The messages that say what ``items`` say; a string is one message of the user.

        Raises:
            UserError: Chat Completions cannot say what an item says.
        """
        if isinstance(items, str):
            return [{"role": "user", "content": items}]
        given = map(_known, items)
        for item in plain_items(given, self.left_out) if self.translates else given:
            self._add(item)
        self._close()
        return paired_messages(self.messages, self.left_out) if self.translates else self.messages

    def _add(self, item: Wire) -> None:
        kind = item.get("type")
        if is_output_message(item):
            self._add_output(item)
        elif is_input_message(item):
            self._add_input(item)
        elif kind == "function_call":
            self._add_call(item)
        elif kind == "function_call_output":
            self._add_result(item)
        elif kind == "reasoning":
            self._add_reasoning(item)
        elif kind == "file_search_call":
            self._add_search(item)
        else:
            raise _unhandled(kind)

    def _close(self) -> None:
        if self._open is not None:
            self.messages.append(self._open)
        self.messages += self._searches
        self._open, self._searches = None, []

    def _add_input(self, item: Wire) -> None:
        self._close()
        self._forget_reasoning()
        role, content = item["role"], item["content"]
        refused = self.left_out if self.translates else None
        if role == "user":
            said = all_parts(content, is_official=self.is_official, left_out=refused)
        else:
            said = text_parts(content, left_out=refused)
        self.messages.append({"role": role, "content": said})

    def _add_output(self, item: Wire) -> None:
        text, refusal = _said(item["content"], self.left_out if self.translates else None)
        if self._open is not None and not self._open.get("tool_calls"):
            self._close()  # The open message has its text already.
        message = self._opened()
        if text is not None:
            _add_text(message, text)
        if refusal is not None:
            message["refusal"] = refusal
        elif text is None:
            message.setdefault("content", "")
        self._attach_reasoning(message)
        self._attach_fields(message, item)

    def _add_call(self, item: Wire) -> None:
        function = {"name": item["name"], "arguments": item.get("arguments") or "{}"}
        call: Wire = {"id": self._sent_id(item), "type": "function", "function": function}
        self._sign(call, item.get("provider_data") or {})
        self._add_tool_call(call)
        self._attach_fields(self._opened(), item)

    def _sign(self, call: Wire, about: Wire) -> None:
        """Give a call back what came with it."""
        if self._is_own(about):
            call |= about.get(opaque.OF_CALL) or {}
        signature, place = about.get("thought_signature"), about.get(SIGNED_IN, self.signs_in)
        if not signature or not self._takes_signature(about):
            return
        if place == "id":
            bare = call["id"].partition(SIGNED_ID)[0]
            self._ids |= dict.fromkeys((call["id"],), f"{bare}{SIGNED_ID}{signature}")
            call["id"] = f"{bare}{SIGNED_ID}{signature}"
        elif place == "provider_specific_fields":
            call[place] = {**(call.get(place) or {}), "thought_signature": signature}
        else:
            call[place] = merged(
                call.get(place) or {}, {"google": {"thought_signature": signature}}
            )

    def _takes_signature(self, about: Wire) -> bool:
        origin = str(about.get("model") or self.model).lower()
        is_gemini = "gemini" in (self.model or "").lower() and "gemini" in origin
        return is_gemini or self._is_own(about)

    def _attach_fields(self, message: Wire, item: Wire) -> None:
        """Give a message back what came with it and is kept with one of its items."""
        about: Wire = item.get("provider_data") or {}
        if self._is_own(about):
            message |= about.get(opaque.OF_MESSAGE) or {}

    def _is_own(self, about: Wire) -> bool:
        """Whether an item says that it is of the very model that is asked."""
        return self.model is not None and about.get("model") == self.model

    def _sent_id(self, item: Wire) -> str:
        """The id that the model itself gave to a call, if no other call of the message has it."""
        own: str = item["call_id"]
        calls: list[Wire] = (self._open or {}).get("tool_calls") or []
        sent = own
        if self.translates:
            sent = sent_id(item, self.model, is_official=self.is_official)
        if any(call["id"] == sent for call in calls):
            sent = own
        self._ids[own] = sent
        return sent

    def _add_search(self, item: Wire) -> None:
        asked = {"queries": list(item.get("queries") or ()), "status": item.get("status")}
        function = {"name": "file_search_call", "arguments": json.dumps(asked)}
        self._add_tool_call({"id": item["id"], "type": "function", "function": function})
        found: list[Wire] = item.get("results") or []
        text = "\n".join(each["text"] for each in found if each.get("text"))
        # Providers refuse a call that nothing answers.
        answer = {"role": "tool", "tool_call_id": item["id"], "content": text or OMITTED}
        self._searches.append(answer)

    def _add_tool_call(self, call: Wire) -> None:
        message = self._opened()
        message.setdefault("content", None)
        message.setdefault("tool_calls", []).append(call)
        self._attach_reasoning(message)

    def _add_result(self, item: Wire) -> None:
        call_id = item.get("call_id")
        if call_id is None:
            raise UserError(
                "Unpaired function outputs are part of the Responses API only: Chat Completions "
                "takes a tool's result together with the call that it answers. Use a Responses "
                "model for this input, or give the output a `call_id`."
            )
        self._close()
        content = self._result(item.get("output"), call_id)
        sent = self._ids.get(call_id, call_id)
        self.messages.append({"role": "tool", "tool_call_id": sent, "content": content})

    def _result(self, output: object, call_id: str) -> str | list[Wire]:
        if output is None or isinstance(output, str):
            return output or ""
        if not isinstance(output, list | tuple):
            raise UserError(
                f"The output of call {call_id!r} is a {type(output).__name__}. Give a string or a "
                "list of content parts."
            )
        given, refused = cast("list[Any]", output), self.left_out if self.translates else None
        if self.keeps_media:
            return all_parts(given, left_out=refused)
        parts = text_parts(given, left_out=refused)
        if parts:
            return parts
        if self.is_strict:
            raise UserError(
                f"The output of call {call_id!r} cannot be empty or contain only non-text content "
                "for Chat Completions. Return text from the tool, or use a Responses model."
            )
        logger.warning(
            "The output of call %s has no text, and Chat Completions takes nothing else. "
            "Replacing the tool output with a placeholder.",
            call_id,
        )
        return OMITTED

    def _opened(self) -> Wire:
        if self._open is None:
            self._open = {"role": "assistant"}
        return self._open

    # --- Reasoning. ----------------------------------------------------------------------

    def _add_reasoning(self, item: Wire) -> None:
        self._forget_reasoning()
        about: Wire = item.get("provider_data") or {}
        if self.model is None or (self.translates and _is_foreign(item, about)):
            return
        is_own = self.translates and self._is_own(about)
        summary = "\n".join(part["text"] for part in item.get("summary") or ())
        source = ReasoningContentSource(item, about.get("model"), about)
        context = ReasoningContentReplayContext(self.model, self.base_url, source)
        should_replay = self.should_replay or default_should_replay_reasoning_content
        is_wanted = is_own and self.should_replay is None
        if summary and (is_wanted or should_replay(context)):
            self._fields["reasoning_content"] = summary
        texts = [part["text"] for part in item.get("content") or ()]
        thinks = self.keeps_thinking and _is_claude(self.model) and may_be_own(about, self.model)
        # A program that decides itself which reasoning goes back has decided: its text, unsigned.
        keeps_blocks = thinks or (is_wanted and self.keeps_own_thinking)
        if keeps_blocks and (blocks := thinking_blocks(about.get(THINKING_BLOCKS))):
            self._fields[THINKING_BLOCKS] = blocks
        elif about.get(REASONING_FIELD) == "reasoning":
            if texts and about.get("model") == self.model:
                self._fields["reasoning"] = "\n".join(texts)
        elif thinks:
            self._blocks = _signed(texts, item.get("encrypted_content"))

    def _attach_reasoning(self, message: Wire) -> None:
        message |= self._fields
        if self._blocks:
            message["content"] = [*self._blocks, *_as_parts(message.get("content"))]
        self._forget_reasoning()

    def _forget_reasoning(self) -> None:
        self._fields, self._blocks = {}, []


# --- What an item is. --------------------------------------------------------------------


def as_dict(item: Any) -> Wire | None:
    """An item, given as a mapping or as an object of `openai`; None for anything else."""
    if isinstance(item, Mapping):
        return cast("Wire", item)
    return item.model_dump(exclude_unset=True) if hasattr(item, "model_dump") else None


def _known(given: object) -> Wire:
    item = as_dict(given)
    if item is None:
        raise _unhandled(type(given).__name__)
    return item


def is_input_message(item: Wire) -> bool:
    """Whether an item is a message; one in the model's name may also be of the model itself."""
    return (
        item.get("type", "message") == "message"
        and item.get("role") in _ROLES
        and "content" in item
    )


def is_output_message(item: Wire) -> bool:
    """Whether an item is a message as a model answers it."""
    content: Any = item.get("content")
    if item.get("type") != "message" or item.get("role") != "assistant":
        return False
    if not isinstance(content, list):
        return False
    parts = cast("list[Any]", content)
    said = [isinstance(p, Mapping) and cast("Wire", p).get("type") in _SAID for p in parts]
    return any(said) or "id" in item


def _unhandled(kind: object) -> UserError:
    if kind == "item_reference":
        return UserError(
            "Encountered an item_reference, which is not supported by Chat Completions: nothing "
            "is kept there that it could refer to. Give the item itself, or use a Responses model."
        )
    if kind == "compaction":
        return UserError(
            "Compaction items are not supported for chat completions. Use a Responses model."
        )
    return UserError(
        f"Unhandled item type or structure: {kind!r}. Chat Completions takes messages, function "
        "calls and their outputs. Leave the item out, or use a Responses model."
    )


# --- The model's own messages. -----------------------------------------------------------


def _said(
    parts: Iterable[Any], left_out: Counter[str] | None = None
) -> tuple[str | None, str | None]:
    """The text and the refusal of an output message; None for what it does not have.

    What is neither is counted in ``left_out``, or refused.
    """
    texts: list[str] = []
    refusal: str | None = None
    for part in parts:
        kind = part.get("type")
        if kind == "refusal":
            refusal = part["refusal"]
        elif kind in ("output_text", "input_text", "text"):
            texts.append(part["text"])
        elif left_out is not None:
            texts += [part["transcript"]] if part.get("transcript") else []
            left_out[f"{kind} in a message of the model"] += 1
        else:
            raise UserError(
                f"Unknown content: a part of type {kind!r} in a message of the model. Chat "
                "Completions takes its text and refusals back, and no sound."
            )
    return "\n".join(texts) if texts else None, refusal


def _add_text(message: Wire, text: str) -> None:
    before = message.get("content")
    if isinstance(before, list):
        message["content"] = [*cast("list[Wire]", before), *_as_parts(text)]
    else:
        # A tool's result has to follow its call at once, so this cannot be a second message.
        message["content"] = f"{before}\n{text}" if before else text


def _as_parts(content: Any) -> list[Wire]:
    if not content:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _is_foreign(item: Wire, about: Wire) -> bool:
    """Whether an item has the id of a Responses API, so that no chat model has thought it."""
    return not about and item.get("id") not in (None, "", FAKE_RESPONSES_ID)


def _is_claude(model: str) -> bool:
    return "claude" in model.lower() or "anthropic" in model.lower()


def _signed(texts: list[str], signatures: str | None) -> list[Wire]:
    """Thinking of older histories, which keep the texts and, line by line, the signatures."""
    blocks: list[Wire] = [{"type": "thinking", "thinking": text} for text in texts]
    known = signatures.split("\n") if signatures else []
    for block, signature in zip(blocks, known, strict=False):
        block["signature"] = signature
    return blocks
