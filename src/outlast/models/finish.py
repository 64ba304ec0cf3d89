"""What the word at the end of an answer means: every provider has its own for the same few things."""

from __future__ import annotations

from outlast.core.errors import ModelAnswerFailed, ModelBehaviorError
from outlast.definitions.logger import logger

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is incomplete, in the words of the Responses API, by `finish_reason`."""
_WORDS = {
    "length": (
        "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit",
        "context_length", "model_context_window_exceeded",
    ),
    "content_filter": (
        "safety", "recitation", "blocklist", "prohibited_content", "spii", "image_safety",
        "language", "sensitive", "refusal", "guardrail_intervened", "content_filtered", "blocked",
    ),
    "error": (
        "malformed_function_call", "unexpected_tool_call", "too_many_tool_calls", "malformed_response",
        "network_error", "model_error", "internal_error", "server_error", "failed", "abort",
        "aborted", "cancelled", "insufficient_system_resource", "finish_reason_unspecified",
    ),
    "tool_calls": ("function_call", "tool_use", "tool_call"),
    "stop": ("end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed"),
}  # fmt: skip
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words}


def end_of(told: object) -> str | None:
    """A `finish_reason` in OpenAI's words, ``"error"`` if the provider has failed; None for none.

    A word that nobody knows stays as it is.
    """
    if not isinstance(told, str) or not told.strip():
        return None
    word = told.strip().lower()
    return _MEANING.get(word, word)


def check_end(what: str, told: object, *, has_answer: bool, has_calls: bool, is_null: bool) -> None:
    """Check that an answer has what its end says, be it calls that are left out.

    Args:
        what: The answer, for the message.
        told: The `finish_reason`.
        has_answer: Whether there is a text, a refusal or a call.
        has_calls: Whether there are calls, perhaps of a kind that is left out.
        is_null: Whether the message has no text at all, not even an empty one.

    Raises:
        ModelAnswerFailed: The provider has given up. Asking again may help.
        ModelBehaviorError: There is nothing, and there would be nothing the next time.
    """
    reason, subject = end_of(told), f"Chat Completions {what} terminated with"
    shown = told if isinstance(told, str) and len(told) <= _LONGEST_WORD else reason
    if reason == "error":
        raise ModelAnswerFailed(
            f"{subject} finish_reason={shown!r}: the provider gave its answer up. Run it again; if "
            "that goes on, simplify the tools' parameters, or use another model."
        )
    if reason == "length" and not has_answer:
        raise ModelBehaviorError(
            f"{subject} finish_reason={shown!r} but produced no assistant text, tool call, or "
            "refusal. Raise ModelSettings(max_tokens=...), or lower the reasoning effort."
        )
    if has_answer or has_calls or reason == "content_filter":
        return
    if reason == "tool_calls":
        raise ModelAnswerFailed(
            f"{subject} finish_reason={shown!r}, but there is no tool call in it. Run it again."
        )
    if is_null:
        raise ModelAnswerFailed(
            f"{subject} finish_reason={shown!r} and has neither a text nor a tool call. Run it "
            "again; if that goes on, use another model."
        )


_LONGEST_WORD = 48


def warn_incomplete(finish_reason: str) -> None:
    """Say in the log that an answer is cut off."""
    logger.warning(
        "The model's answer is incomplete: it ended with finish_reason=%r. Its last item has the "
        "status 'incomplete'.",
        finish_reason,
    )
