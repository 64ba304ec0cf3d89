"""The parts of a message's content, from Responses form to Chat Completions form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from outlast.core.errors import UserError

Wire = dict[str, Any]
_BREAKPOINT = "prompt_cache_breakpoint"
_OFFICIAL = ("input_audio", "input_file", "input_image", "input_text")
"""What OpenAI's own endpoint takes from a user; others may take more."""
_ALIASES = {"text": "input_text", "image_url": "input_image"}
"""Parts that may also be given in their Chat Completions form."""


def all_parts(
    content: str | Iterable[Any],
    *,
    is_official: bool = False,
    left_out: Counter[str] | None = None,
) -> str | list[Wire]:
    """A user's content, every part of it; a string stays a string.

    A part that cannot be sent is counted in ``left_out``, if that is passed, and named in its place.

    Raises:
        UserError: A part is of a type that the endpoint, OpenAI if ``is_official``, does not take,
            or has not what the API needs of its type.
    """
    if isinstance(content, str):
        return content
    if left_out is None:
        return [_part(part, is_official=is_official) for part in content]
    return [_part_or_name(part, is_official=is_official, left_out=left_out) for part in content]


def text_parts(
    content: str | Iterable[Any], *, left_out: Counter[str] | None = None
) -> str | list[Wire]:
    """Anybody else's content: its text, for nothing else can be sent."""
    if left_out is not None and not isinstance(content, str):
        # Something that stands for a text's neighbour would not be what was said.
        content = [part for part in content if _is_sendable(part, left_out)]
    parts = all_parts(content)
    return parts if isinstance(parts, str) else [p for p in parts if p["type"] == "text"]


def _is_sendable(given: object, left_out: Counter[str]) -> bool:
    try:
        _part(given, is_official=False)
    except UserError:
        left_out[_kind(given)] += 1
        return False
    return True


def _part_or_name(given: object, *, is_official: bool, left_out: Counter[str]) -> Wire:
    try:
        return _part(given, is_official=is_official)
    except UserError:
        kind = _kind(given)
        left_out[kind] += 1
        part = cast("Wire", given) if isinstance(given, Mapping) else {}
        name = part.get("filename") or part.get("file_url")
        what = kind.removeprefix("input_").replace("_", " ")
        return {"type": "text", "text": f"[{what} omitted{f': {name}' if name else ''}]"}


def _kind(given: object) -> str:
    if isinstance(given, Mapping):
        return str(cast("Wire", given).get("type"))
    return type(given).__name__


def _part(given: object, *, is_official: bool) -> Wire:
    if not isinstance(given, Mapping):
        raise UserError(
            f"Unknown content: a {type(given).__name__} stands where a content part should be. "
            "Give a dict with a `type`."
        )
    part = cast("Wire", given)
    kind = str(part.get("type"))
    if is_official and _ALIASES.get(kind, kind) not in _OFFICIAL:
        raise UserError(
            f"Unsupported content type for official OpenAI Chat Completions: {kind!r}. It takes "
            f"{', '.join(_OFFICIAL)}."
        )
    if kind not in _PARTS:
        raise UserError(
            f"Unknown content: a part of type {kind!r} cannot be sent to Chat Completions, which "
            f"takes {', '.join(_PARTS)}."
        )
    made = _PARTS[kind](part)
    if _BREAKPOINT in part:
        made[_BREAKPOINT] = part[_BREAKPOINT]
    return made


def _text(part: Wire) -> Wire:
    if not isinstance(part.get("text"), str):
        kind = part.get("type")
        raise UserError(
            f"Only text content is supported here: a part of type {kind!r} has no text."
        )
    return {"type": "text", "text": part["text"]}


def _image(part: Wire) -> Wire:
    given = _inner(part, "image_url") if part.get("type") == "image_url" else part
    url = given.get("url" if given is not part else "image_url")
    if not url or not isinstance(url, str):
        raise UserError(
            f"Only image URLs are supported for a part of type {part.get('type')!r}; it has none. "
            "Give the image's address or a data URL as `image_url`."
        )
    detail = given.get("detail", "auto")
    # The Responses API has one more level, which here is the most there is.
    shown = {"url": url, "detail": "high" if detail == "original" else detail}
    return {"type": "image_url", "image_url": shown}


def _audio(part: Wire) -> Wire:
    given = _inner(part, "input_audio")
    if not given.get("data") or not given.get("format"):
        raise UserError("input_audio requires both data and format; one of them is missing.")
    audio = {"data": given["data"], "format": given["format"]}
    return {"type": "input_audio", "input_audio": audio}


def _file(part: Wire) -> Wire:
    source = "file_data" if part.get("file_data") else "file_id"
    if not part.get(source):
        raise UserError(
            "Only file_data or file_id is supported for input_file; it has neither. Send the "
            "file's content as `file_data`, or upload it first."
        )
    named = {"filename": part["filename"]} if part.get("filename") else {}
    return {"type": "file", "file": {source: part[source], **named}}


def _video(part: Wire) -> Wire:
    given = _inner(part, "video_url")
    if not given.get("url"):
        raise UserError("Only video URLs are supported for video_url; it has no `url`.")
    return {"type": "video_url", "video_url": {"url": given["url"]}}


def _inner(part: Wire, name: str) -> Wire:
    given: Any = part.get(name)
    return cast("Wire", given) if isinstance(given, Mapping) else {}


_PARTS: dict[str, Callable[[Wire], Wire]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "input_image": _image,
    "image_url": _image,
    "input_audio": _audio,
    "input_file": _file,
    "video_url": _video,
}
