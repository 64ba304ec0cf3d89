"""Ids of calls as providers make them, and as a run needs them: each for one call only.

Some endpoints send calls without ids, give two calls of a reply the same one, or begin to count
anew with every reply. Here each call gets an id that nothing else in the conversation has; it
follows from the call's place, so it is the same whoever asks again. The provider's own id stays
with the call, and its answer goes back under that, unless two calls of a reply share it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any, cast

from outlast.core.items import invocation
from outlast.models.call_options import asked
from outlast.models.event_stream import ending
from outlast.models.fake_id import FAKE_RESPONSES_ID

WIRE_ID = "call_id"
"""Key of a call's `provider_data` that has the id which the provider gave it, if we gave another."""
_CALLS = ("function_call", "custom_tool_call")
_ADDED, _DONE = "response.output_item.added", "response.output_item.done"
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class CallIds:
    """Gives each call of one reply its own id.

    Args:
        conversation: What the model was given.
        model: The model that replies.
    """

    def __init__(self, conversation: Any, model: str) -> None:
        self._conversation: list[Any] = [] if isinstance(conversation, str) else conversation
        self._model = model
        self._how = asked()
        self._earlier: dict[str, str] | None = None
        self._here: dict[tuple[str, str], str] = {}
        """The ids of this reply's calls, by what the provider has sent as id and what is called."""
        self._announced: set[str] = set()
        self._taken: set[str] = set()
        self._held: dict[int, list[Any]] = {}
        """Events of calls that are not complete, by their place in the output."""
        self._settled: dict[int, Any] = {}

    def settle(self, item: object) -> Any:
        """``item`` of the reply, a call with an id of its own. A call that came twice stays one."""
        if _of(item, "type") not in _CALLS:
            return item
        told = _of(item, "call_id")
        wire_id, asks = told if isinstance(told, str) else "", _asks(item)
        own = self._here.get((wire_id, asks)) if wire_id else None
        if own is None:
            own = self._here[(wire_id, asks)] = self._own(item, wire_id, asks)
        self._taken.add(own)
        return item if own == wire_id else self._renamed(item, own, wire_id)

    async def events(self, events: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """``events`` of a reply. A call whose id will not do is held back until it is complete."""
        async with ending(events):
            async for event in events:
                for each in self._passed(event):
                    yield each

    def _passed(self, event: Any) -> Iterator[Any]:
        """What may be shown once ``event`` has come."""
        if event.type in _ENDS:
            self._end(event)
        place: Any = getattr(event, "output_index", None)
        if event.type == _ADDED and self._is_held(event.item):
            self._held[place] = []
        if event.type == _DONE:
            event.item = self._settled[place] = self.settle(event.item)
            for each in self._held.pop(place, ()):
                yield _about(each, event.item)
        if place in self._held:
            self._held[place].append(event)
        else:
            yield event

    def _is_held(self, item: object) -> bool:
        """Whether a call cannot be announced under its id before the rest of it is known."""
        call_id = _of(item, "call_id")
        if _of(item, "type") not in _CALLS:
            return False
        is_clear = bool(call_id) and call_id not in self._announced
        self._announced.add(call_id)
        return not is_clear or self._known(call_id) is not None

    def _end(self, event: Any) -> None:
        output: Any = getattr(event.response, "output", None)
        if isinstance(output, list):
            given = cast("list[Any]", output)
            whole = [self._settled.get(n) or self.settle(item) for n, item in enumerate(given)]
            if any(new is not old for new, old in zip(whole, given, strict=True)):
                event.response.output = [
                    new if _of(new, "type") in _CALLS else old
                    for new, old in zip(whole, given, strict=True)
                ]

    def _own(self, item: object, wire_id: str, asks: str) -> str:
        if wire_id and wire_id not in self._taken:
            known = self._known(wire_id)
            # Who keeps the conversation may send what it has sent before, under the item's own id.
            is_replay = known == asks and _of(item, "id") not in (None, "", FAKE_RESPONSES_ID)
            if known is None or is_replay:
                return wire_id
        base = wire_id or f"call_{self._how.place or 'm'}_{len(self._taken)}"
        own, number = base, 1
        while own in self._taken or self._known(own) is not None:
            number += 1
            own = f"{base}_{number}"
        return own

    def _known(self, call_id: str) -> str | None:
        """What an earlier call of that id asked for; None if there is none."""
        if self._earlier is None:
            given = (_as_dict(item) for item in self._conversation)
            self._earlier = {
                str(item["call_id"]): _asks(item) if item.get("type") in _CALLS else ""
                for item in given
                if item.get("call_id")
            }
        return self._how.earlier_call(call_id) or self._earlier.get(call_id)

    def _renamed(self, item: Any, own: str, wire_id: str) -> Any:
        about: dict[str, Any] = _of(item, "provider_data") or {}
        marked = {**about, "model": about.get("model") or self._model, WIRE_ID: wire_id}
        if isinstance(item, dict):
            return {**cast("dict[str, Any]", item), "call_id": own, "provider_data": marked}
        changed = item.model_copy()
        changed.call_id = own
        changed.provider_data = marked
        return changed


def wire_id(item: Mapping[str, Any], model: str | None) -> str | None:
    """The id that ``model`` itself gave to a call, where a run knows the call by another."""
    about: Any = item.get("provider_data") or {}
    is_own = model is not None and about.get("model") == model
    return about.get(WIRE_ID) if is_own else None


def sent_id(item: Mapping[str, Any], model: str | None, *, is_official: bool) -> str:
    """The id under which ``model`` is sent a call: its own, or the run's in a form that it takes."""
    about: Any = item.get("provider_data") or {}
    own = str(item["call_id"])
    if told := wire_id(item, model):
        return told
    if model is None or (about.get("model") == model and WIRE_ID not in about):
        return own
    wanted, length = _ANY, 40 if is_official else None
    for families, pattern, most in _STRICT:
        if any(name in model.lower() for name in families):
            wanted, length = pattern, most
    if wanted.fullmatch(own) and len(own) <= (length or len(own)):
        return own
    digest = hashlib.sha256(own.encode(errors="replace")).hexdigest()
    return digest[:length] if length and length < _LONG else f"call_{digest[:24]}"


_ANY = re.compile(r".*", re.DOTALL)
_LONG = 29
_STRICT = (
    (("mistral", "mixtral", "ministral", "magistral", "devstral", "codestral", "pixtral"),
     re.compile(r"[a-zA-Z0-9]{9}"), 9),
    (("claude", "anthropic"), re.compile(r"[a-zA-Z0-9_-]+"), 64),
)  # fmt: skip
"""Families that do not take every id, with what they take and its length."""


def with_wire_ids(items: list[Any], model: str | None) -> list[Any]:
    """Calls and their outputs under the ids that ``model`` knows them by.

    Calls of one reply among ``items`` that share an id keep the run's: of two outputs of one id, the
    second would be refused.
    """
    known: dict[str, str] = {}
    for item in (*asked().last_reply(), *items):
        told = wire_id(item, model) if item.get("type") in _CALLS else None
        if told:
            known[item["call_id"]] = told
    if not known:
        return items
    shared = _sharing(items, known)
    known = {own: told for own, told in known.items() if own not in shared}
    return [
        {**item, "call_id": known[item["call_id"]]} if item.get("call_id") in known else item
        for item in items
    ]


def _sharing(items: list[Any], known: Mapping[str, str]) -> set[str]:
    """The calls that wait for their output under one id with another."""
    shared: set[str] = set()
    waiting: dict[str, set[str]] = {}
    for item in items:
        own = item.get("call_id")
        if own and item.get("type") in _CALLS:
            together = waiting.setdefault(known.get(own, own), set())
            together.add(own)
            if len(together) > 1:
                shared |= together
        elif own:
            waiting.pop(known.get(own, own), None)
    return shared


def _about(event: Any, item: Any) -> Any:
    """A held event of a call that is known now."""
    if event.type == _ADDED:
        event.item.call_id = item.call_id
    return event


def _asks(item: object) -> str:
    names = ("type", "namespace", "name", "arguments", "input")
    facts = {name: _of(item, name) for name in names}
    return invocation({name: value for name, value in facts.items() if value is not None})


def _of(item: object, name: str) -> Any:
    if isinstance(item, dict):
        return cast("dict[str, Any]", item).get(name)
    return getattr(item, name, None)


def _as_dict(item: Any) -> dict[str, Any]:
    if isinstance(item, dict):
        return cast("dict[str, Any]", item)
    return item.model_dump(exclude_unset=True) if hasattr(item, "model_dump") else {}
