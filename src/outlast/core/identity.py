"""Who a run is: which ids it may bear, what is said about it, and whether two inputs are the same.

A run's id is the caller's, or random. A nested run's id is its place: its parent's id, a slash, and
the effect that it performs (`order-17/t3.call_1`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b, sha256
from math import isfinite
from typing import Any, NamedTuple, cast
from unicodedata import category

import msgspec

from outlast.core.errors import UserError, WrongType
from outlast.core.surrogates import without_surrogates

MAX_ID = 512
"""Characters of an id that a caller chooses."""

_CHILD = re.compile(r"/[a-z][0-9]+\.")
_BARRED = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class RunMetadata(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Whose a run is. Runs can be listed and recovered by it; no model sees it.

    Attributes:
        user: Who asked for the run.
        tenant: On whose behalf.
        session_id: The conversation that the run is a part of.
        tags: Any other words to find it by.
        request: What whoever asked for the run has said besides, as JSON. A server makes the context of
            the run of it, also in the process that goes on with the run.
        priority: Which of the runs that wait for a worker is first: the highest, 0 to 9. One that waits
            becomes one more urgent each minute.
        not_before: When it may begin at the earliest, in seconds since 1970. It is for those who look for
            runs to perform; who calls `Runner.resume` begins it at once.
        begins_before: When it is too late to begin. A worker that finds it later cancels it.
    """

    user: str | None = None
    tenant: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    request: str = ""
    priority: int = 0
    not_before: float | None = None
    begins_before: float | None = None

    def __post_init__(self) -> None:
        tags = cast("Any", self.tags)
        is_some = isinstance(tags, list | tuple | set | frozenset)
        texts = (
            [tag for tag in cast("Iterable[Any]", tags) if isinstance(tag, str)] if is_some else []
        )
        if not is_some or len(texts) != len(self.tags):
            raise WrongType(f"RunMetadata.tags must be a list of texts, got {_kind(self.tags)}.")
        msgspec.structs.force_setattr(self, "tags", tuple(map(without_surrogates, texts)))
        for name in ("user", "tenant", "session_id", "request"):
            value: Any = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise WrongType(f"RunMetadata.{name} must be a text or None, got {_kind(value)}.")
            msgspec.structs.force_setattr(self, name, without_surrogates(value))
        _check_numbers(self)

    def has(
        self,
        *,
        user: str | None = None,
        tenant: str | None = None,
        session_id: str | None = None,
        tag: str | None = None,
    ) -> bool:
        """Whether it says all of this; None asks for nothing."""
        wanted = ((user, self.user), (tenant, self.tenant), (session_id, self.session_id))
        if any(asked is not None and asked != own for asked, own in wanted):
            return False
        return tag is None or tag in self.tags


def _check_numbers(metadata: RunMetadata) -> None:
    if type(cast("Any", metadata.priority)) is not int:
        raise WrongType(
            f"RunMetadata.priority must be a whole number, got {_kind(metadata.priority)}."
        )
    for name in ("not_before", "begins_before"):
        at: Any = getattr(metadata, name)
        if at is not None and type(at) not in (int, float):
            raise WrongType(f"RunMetadata.{name} must be a number or None, got {_kind(at)}.")


def check_begin(metadata: RunMetadata) -> None:
    """Refuse an urgency or a time to begin that nobody can keep to.

    It is asked when a run is begun and not when a log is read: what a later version allows is readable.

    Raises:
        WrongType: One is out of its range.
    """
    if not 0 <= metadata.priority <= _MOST_URGENT:
        raise WrongType(
            f"RunMetadata.priority must be a whole number from 0 to {_MOST_URGENT}, got "
            f"{metadata.priority!r:.40}."
        )
    for name in ("not_before", "begins_before"):
        at: Any = getattr(metadata, name)
        if at is not None and not isfinite(at):
            raise WrongType(
                f"RunMetadata.{name} must be a time in seconds since 1970 or None, got {at!r:.40}."
            )


_MOST_URGENT = 9
NO_METADATA = RunMetadata()


def _kind(value: object) -> str:
    return type(value).__name__


def check_run_id(run_id: object) -> None:
    """Refuse what cannot be, or must not be, a run's id.

    Raises:
        UserError: It is no text, is blank or too long, has characters that cannot be stored or shown,
            or looks like the id of a nested run.
    """
    if not isinstance(run_id, str):
        raise UserError(
            f"A run's id must be a text, got {_kind(run_id)}. Write str(...) around it, or leave "
            "run_id out for a random one."
        )
    if not run_id.strip():
        raise UserError("A run's id must not be blank. Leave run_id out for a random one.")
    if len(run_id) > MAX_ID:
        raise UserError(
            f"A run's id has at most {MAX_ID} characters, got {len(run_id)}. Use a hash of it."
        )
    for place, character in enumerate(run_id):
        if category(character) in _BARRED or character in _BIDIRECTIONAL:
            raise UserError(
                f"Character {place} of a run's id is U+{ord(character):04X}, which cannot be stored "
                "or shown. Use letters, digits and punctuation."
            )
    if _CHILD.search(run_id):
        raise UserError(
            f"The id {run_id!r} is one that a nested run bears: a slash, a letter, a number and a "
            f"dot. Resume the run that it belongs to, {root_of(run_id)!r}, or choose another id."
        )


def root_of(run_id: str) -> str:
    """The id of the run that a nested run belongs to; the id itself where it is not nested."""
    return _CHILD.split(run_id, maxsplit=1)[0]


# --- Inputs. -----------------------------------------------------------------------------


def canonical(item: dict[str, Any]) -> bytes:
    """An input item without what does not count in it: order of names, empty fields, one-part texts."""
    fields = _bare(item)
    if fields.get("type") == "message":
        del fields["type"]
    content = fields.get("content")
    if isinstance(content, list):
        parts = cast("list[Any]", content)
        if len(parts) == 1 and _is_plain(parts[0]):
            fields["content"] = parts[0]["text"]
    return msgspec.json.encode(without_surrogates(fields), order="sorted")


def _is_plain(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    fields = cast("dict[str, Any]", part)
    return fields.keys() == {"type", "text"} and fields["type"] == "input_text"


def _bare(value: object) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _bare(each) for key, each in fields.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_bare(each) for each in cast("list[Any]", value)]
    return value


def content_hash(data: bytes) -> str:
    """The name of what is stored once, under the hash of its content."""
    return blake2b(data, digest_size=20).hexdigest()


def short_hash(data: bytes) -> str:
    """Eight hexadecimal digits that differ where ``data`` does: names content without showing it."""
    return sha256(data).hexdigest()[:8]


class Difference(NamedTuple):
    """How two inputs differ, without a word of either."""

    where: str
    details: str


def input_difference(
    recorded: list[dict[str, Any]], offered: list[dict[str, Any]]
) -> Difference | None:
    """How two inputs differ; None where they are the same."""
    old, new = list(map(canonical, recorded)), list(map(canonical, offered))
    if old == new:
        return None
    place = next(
        (n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None
    )
    if place is None:
        return Difference(f"{len(old)} items then, {len(new)} now", "")
    was, now = old[place], new[place]
    return Difference(
        "" if len(old) == len(new) == 1 else f"item {place + 1} differs",
        f"The item had {len(was)} bytes with hash {short_hash(was)}, and has {len(now)} with hash "
        f"{short_hash(now)} in this call.",
    )
