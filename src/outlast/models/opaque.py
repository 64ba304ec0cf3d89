"""What a provider wants back just as it was, and nobody else can read: signatures, encrypted thoughts.

It stays in `provider_data` of the item that it belongs to: a call's with the call, a message's with
the first item of its message. From there it survives the log and sessions, and goes back only to the
model that it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from outlast.models.chat_fields import Facts, field, merged

OF_MESSAGE = "message_fields"
"""Key of `provider_data` with the fields of the message that the item was in."""
OF_CALL = "call_fields"
"""Key of a call's `provider_data` with fields of the call."""
_THOUGHTS = (
    "reasoning_details", "reasoning_encrypted_content", "encrypted_content", "reasoning_signature",
    "reasoning_opaque", "thinking_signature", "thought_signature", "signature",
)  # fmt: skip
_MESSAGE_FIELDS = ("extra_content", *_THOUGHTS)
_CALL_FIELDS = ("extra_content", "provider_specific_fields", *_THOUGHTS)
_SPECIFIC = ("thought_signatures", "reasoning_details", "encrypted_content")
"""What of LiteLLM's own field of a message is more than a copy of something else."""
_PIECES = ("text", "summary", "data")
_KNOWN = {"google": {"thought_signature"}}


def of_message(message: object) -> Facts:
    """The fields of a message, or of a piece of one, that are to go back as they are."""
    found = _present(message, _MESSAGE_FIELDS)
    specific = _present(field(message, "provider_specific_fields"), _SPECIFIC)
    return {**found, "provider_specific_fields": specific} if specific else found


def of_call(call: object) -> Facts:
    """The same of a call; without Gemini's signature, which has a place of its own."""
    found = _present(call, _CALL_FIELDS)
    if set(found.get("provider_specific_fields") or ()) <= {"thought_signature"}:
        found.pop("provider_specific_fields", None)
    google: Any = found.get("extra_content")
    if isinstance(google, Mapping) and _is_known(cast("Facts", google)):
        del found["extra_content"]
    return found


def joined(before: Facts, more: Facts) -> Facts:
    """The fields of a streamed message: ``before``, and those of its next piece."""
    whole = dict(before)
    for name, value in more.items():
        known: Any = whole.get(name)
        if isinstance(known, list) and isinstance(value, list):
            whole[name] = _whole([*cast("list[Any]", known), *cast("list[Any]", value)])
        elif isinstance(known, str) and isinstance(value, str):
            whole[name] = value if value.startswith(known) else known + value
        elif isinstance(known, dict) and isinstance(value, dict):
            whole[name] = merged(cast("Facts", known), cast("Facts", value))
        else:
            whole[name] = _whole(cast("list[Any]", value)) if isinstance(value, list) else value
    return whole


def _whole(details: Iterable[Any]) -> list[Any]:
    """Details of reasoning, with those put together that came in pieces under one number."""
    made: list[Any] = []
    by_place: dict[tuple[Any, Any], Facts] = {}
    for detail in details:
        if not isinstance(detail, dict) or not isinstance(detail.get("index"), int):  # pyright: ignore[reportUnknownMemberType]
            made.append(detail)
            continue
        piece = cast("Facts", detail)
        place = (piece.get("type"), piece["index"])
        if place not in by_place:
            by_place[place] = dict(piece)
            made.append(by_place[place])
            continue
        known = by_place[place]
        for name, value in piece.items():
            if name in _PIECES and isinstance(value, str):
                known[name] = (known.get(name) or "") + value
            elif value is not None:
                known[name] = value
    return made


def _present(of: object, names: Iterable[str]) -> Facts:
    found = {name: field(of, name) for name in names}
    return {name: value for name, value in found.items() if value}


def _is_known(extra: Facts) -> bool:
    return all(set(extra[name] or ()) <= _KNOWN.get(name, set()) for name in extra)
