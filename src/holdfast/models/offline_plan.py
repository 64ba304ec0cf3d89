"""What a conversation asks for next: which tools and handoffs, and with which arguments."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

from holdfast.models.offline_args import Filled, Schema, Source, filled
from holdfast.models.offline_text import (
    STOP,
    alike,
    clauses,
    is_negated,
    mentions,
    stem,
    stems,
    word_set,
    words,
)

# Verbs of tools that only read; calling one does no harm.
_READS = word_set(
    "answer ask calculate check compute convert count describe explain fetch find get list look "
    "lookup query read retrieve search show status track translate view weather"
)
# Verbs that say nothing by themselves: with these, the rest of the name decides.
_VAGUE = word_set(
    "add apply create do execute handle issue make new open perform place post process record "
    "request run save send set start submit update write"
)
_FAILED = re.compile(
    r"\b(?:errors?|fail(?:ed|ure)|not found|no such|does not exist|unknown|invalid|denied|"
    r"rejected|not approved|timed out|unable)\b",
    re.IGNORECASE,
)
_PATIENCE = 24  # Calls in one exchange; then it answers, whatever is still open.
_ENOUGH = 1.5  # One word of the name that at most two tools share, or two of the description.


@dataclass(frozen=True)
class Option:
    """A tool or a handoff that the agent may use."""

    name: str
    description: str
    schema: Schema
    is_handoff: bool = False

    @property
    def properties(self) -> dict[str, Schema]:
        """Its parameters and their schemas."""
        return self.schema.get("properties") or {}

    @cached_property
    def name_stems(self) -> list[str]:
        """What its name says, the words of every name left out."""
        return [stem(word) for word in words(self.name) if word not in STOP]

    @cached_property
    def text_stems(self) -> set[str]:
        """What its description and parameters say."""
        return set(stems(self.description)) | {
            stem(word) for name in self.properties for word in words(name)
        }

    @property
    def reads(self) -> bool:
        """Whether it only looks something up."""
        return any(word in _READS for word in words(self.name))

    def shares(self, other: Option) -> bool:
        """Whether both take a parameter of one name: then one can look up what the other does."""
        return not set(self.properties).isdisjoint(other.properties)

    @property
    def verb(self) -> str:
        """The first word of its name."""
        return self.name_stems[0] if self.name_stems else ""


@dataclass(frozen=True)
class Call:
    """A call of this exchange, and what came of it."""

    name: str
    arguments: dict[str, Any]
    value: Any
    """What it returned, parsed where it is JSON; None while it is open."""
    is_transfer: bool

    @property
    def failed(self) -> bool:
        """Whether what it returned speaks of a failure."""
        value: Any = self.value
        if isinstance(value, dict):
            facts = cast("dict[str, Any]", value)  # parsed JSON has string keys
            if "error" not in facts:
                return facts.get("found") is False or facts.get("ok") is False
        text = value if isinstance(value, str) else json.dumps(value)
        return bool(_FAILED.search(text[:300]))


@dataclass(frozen=True)
class Conversation:
    """What was said and done since the user last spoke, and how much before that."""

    request: str
    earlier: str
    calls: list[Call]
    calls_so_far: int
    items: int

    def source(self) -> Source:
        """What arguments can be taken from."""
        returned = tuple(call.value for call in self.calls if not call.failed)
        return Source(self.request, returned, earlier=self.earlier)

    def has(self, name: str, arguments: dict[str, Any]) -> bool:
        """Whether exactly this call has been made."""
        return any(call.name == name and call.arguments == arguments for call in self.calls)


@dataclass
class Wanted:
    """The calls to make now; none if it is time to answer."""

    calls: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )
    missing: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What could not be called, and the parameters that nobody has named."""
    given_up: list[str] = field(default_factory=list[str])
    """What was not called because looking up what it is about had failed."""


def read(given: str | list[Any]) -> Conversation:
    """The conversation in a request's input."""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    wire: list[dict[str, Any]] = [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in items
    ]
    spoken = [index for index, item in enumerate(wire) if item.get("role") == "user"]
    last = spoken[-1] if spoken else 0
    request = _text(wire[last]) if spoken else ""
    outputs = {str(i.get("call_id")): i.get("output") for i in wire if "output" in i}
    calls = [_past_call(i, outputs) for i in wire[last:] if i.get("type") == "function_call"]
    return Conversation(
        request,
        " \n".join(filter(None, map(_text, wire[:last]))),
        calls,
        sum(item.get("type") == "function_call" for item in wire),
        len(wire),
    )


def next_calls(talk: Conversation, options: list[Option], tool_choice: Any = None) -> Wanted:
    """What to call now: a handoff, else what reads, else what acts, else nothing."""
    if tool_choice == "none" or not options or len(talk.calls) >= _PATIENCE:
        return Wanted()
    scores = _scores(talk, options)
    named = [option for option in options if option.name == tool_choice]
    if named or tool_choice == "required":
        best = named[0] if named else max(options, key=lambda option: scores[option.name])
        forced = _forced(talk, best)
        return forced if named else (_chosen(talk, options, scores) or forced)
    return _chosen(talk, options, scores) or _unfilled(talk, options, scores)


def _chosen(talk: Conversation, options: list[Option], scores: dict[str, float]) -> Wanted | None:
    tools = [option for option in options if not option.is_handoff]
    acting = [option for option in tools if not option.reads and _is_asked_for(option, talk, tools)]
    fitting = [o for o in tools if o.reads and _is_of_use(o, talk, acting, tools, scores)]
    transfer = _best_transfer(talk, options, scores)
    own = max((scores[o.name] for o in (*acting, *fitting) if scores[o.name]), default=0.0)
    if transfer is not None and scores[transfer.name] > own:
        return _one(talk, transfer)
    steps = (
        _calls(talk, fitting, acting, tools),
        _calls(talk, acting, acting, tools),
        _one(talk, transfer) if transfer else Wanted(),
    )
    return next((step for step in steps if step.calls), None)


def _scores(talk: Conversation, options: list[Option]) -> dict[str, float]:
    """How well each option's words fit the request; a word that many share counts for less."""
    said = set(stems(talk.request))
    shared = Counter(s for o in options for s in {*o.name_stems, *o.text_stems})
    scores: dict[str, float] = {}
    for option in options:
        by_name = [s for s in set(option.name_stems) if any(alike(s, word) for word in said)]
        others = option.text_stems - set(option.name_stems)
        by_text = [s for s in others if any(alike(s, word) for word in said)]
        scores[option.name] = sum(3 / shared[s] for s in by_name) + sum(
            1 / shared[s] for s in by_text
        )
    return scores


def _is_asked_for(option: Option, talk: Conversation, tools: list[Option]) -> bool:
    """Whether the request names what this tool does, and does not say to leave it."""
    said = stems(talk.request)
    decisive = [option.verb]
    if option.verb in {stem(verb) for verb in _VAGUE}:
        rest = option.name_stems[1:]
        others = {s for other in tools if other is not option for s in other.name_stems}
        decisive = [s for s in rest if s not in others] or rest or decisive
    hits = [s for s in decisive if any(alike(s, word) for word in said)]
    return bool(hits) and not all(is_negated(talk.request, s) for s in hits)


def _is_of_use(
    option: Option,
    talk: Conversation,
    acting: list[Option],
    tools: list[Option],
    scores: dict[str, float],
) -> bool:
    """Whether looking here is asked for, or is what one does before the acts that are."""
    if scores[option.name] >= _ENOUGH:
        return True
    if any(option.shares(other) for other in acting):
        return True
    rivals = [o for o in tools if o.reads and scores[o.name] > scores[option.name]]
    mentioned = any(m.kind in ("id", "email") for m in mentions(talk.request))
    return mentioned and not rivals and not acting and bool(_fill(option, talk, tools).calls)


def _best_transfer(
    talk: Conversation, options: list[Option], scores: dict[str, float]
) -> Option | None:
    """The handoff that fits best; none that was taken before, so that agents do not play ball."""
    taken = {call.name for call in talk.calls}
    free = [o for o in options if o.is_handoff and o.name not in taken and scores[o.name] >= 1]
    free = [o for o in free if o.name not in f"{talk.request} {talk.earlier}"]
    return max(free, key=lambda option: scores[option.name], default=None)


def _one(talk: Conversation, option: Option) -> Wanted:
    made = _fill(option, talk, [option])
    return Wanted([(option.name, (made.calls or [{}])[0])])


def _calls(
    talk: Conversation, chosen: list[Option], acting: list[Option], tools: list[Option]
) -> Wanted:
    wanted = Wanted()
    for option in chosen:
        part = talk
        if option in acting or not any(option.shares(other) for other in acting):
            part = replace(talk, request=_part(talk, option, tools))
        for arguments in _fill(option, part, tools).calls:
            if _is_done(talk, option, arguments):
                continue
            if option in acting and _lookup_failed(talk, arguments):
                continue
            wanted.calls.append((option.name, arguments))
    return wanted


def _is_done(talk: Conversation, option: Option, arguments: dict[str, Any]) -> bool:
    """Whether it has been called for the same thing; what it was told beside that may differ.

    What tools returned since may fill a parameter anew. That must not make an act happen again.
    """
    if talk.has(option.name, arguments):
        return True
    keys = [key for key in arguments if words(key)[-1:] in (["id"], ["ids"], ["number"])]
    about = {key: arguments[key] for key in keys or list(arguments)[:1]}
    made = [call.arguments for call in talk.calls if call.name == option.name]
    return any(all(past.get(k) == v for k, v in about.items()) for past in made)


def _lookup_failed(talk: Conversation, arguments: dict[str, Any]) -> bool:
    given = [str(value) for value in arguments.values()]
    return any(
        call.failed and any(str(value) in given for value in call.arguments.values())
        for call in talk.calls
    )


def _fill(option: Option, talk: Conversation, tools: list[Option]) -> Filled:
    nouns = {
        stem(words(name)[0])
        for tool in tools
        for name in tool.properties
        if len(words(name)) > 1 and words(name)[-1] in ("id", "number", "code")
    }
    source = replace(talk.source(), busy=frozenset(option.name_stems), nouns=frozenset(nouns))
    return filled(option.schema, source)


def _part(talk: Conversation, option: Option, tools: list[Option]) -> str:
    """The clauses that are about ``option``: from its verb to the next verb, and mere remarks.

    "Refund A-1 and A-2, and check A-3" is about A-1 and A-2 for a refund. Where it names
    nothing itself ("the lamp from A-1 is broken, refund it"), everything is about it.
    """
    others = {s for tool in tools if tool is not option for s in (tool.verb, *tool.name_stems[:1])}
    if not option.reads:
        others |= {stem(verb) for verb in _READS}
    others -= {option.verb}
    own: list[str] = []
    mine = False
    for clause in clauses(talk.request):
        said = stems(clause)
        if any(alike(s, word) for word in said for s in option.name_stems if s not in others):
            mine = True
        elif any(word == other for word in said for other in others):
            mine = False
        if mine or not _names_things(clause):
            own.append(clause)
    return ", ".join(own) if any(map(_names_things, own)) else talk.request


def _names_things(clause: str) -> bool:
    return any(m.kind in ("id", "number", "email", "money") for m in mentions(clause))


def _forced(talk: Conversation, option: Option) -> Wanted:
    """A call of ``option`` come what may, unless that has been made."""
    made = _fill(option, talk, [option])
    arguments = made.calls[0] if made.calls else dict.fromkeys(made.missing, "")
    if talk.has(option.name, arguments):
        return Wanted()
    return Wanted([(option.name, arguments)])


def _unfilled(talk: Conversation, options: list[Option], scores: dict[str, float]) -> Wanted:
    """Nothing to call: say what was asked for and why it was not called."""
    wanted = Wanted()
    tools = [option for option in options if not option.is_handoff]
    called = {call.name for call in talk.calls}
    for option in tools:
        fits = (
            scores[option.name] >= _ENOUGH if option.reads else _is_asked_for(option, talk, tools)
        )
        if not fits or option.name in called:
            continue
        made = _fill(option, talk, tools)
        if not option.reads and any(call.failed for call in talk.calls):
            wanted.given_up.append(option.name)
        elif made.missing:
            wanted.missing[option.name] = made.missing
    return wanted


def _past_call(item: dict[str, Any], outputs: dict[str, Any]) -> Call:
    arguments = _parsed(item.get("arguments") or "{}")
    value = _parsed(_flat(outputs.get(str(item.get("call_id")))))
    is_transfer = isinstance(value, dict) and set(value) == {"assistant"}  # pyright: ignore[reportUnknownArgumentType]
    known = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
    return Call(str(item.get("name")), known, value, is_transfer)


def _text(item: dict[str, Any]) -> str:
    return _flat(item.get("content", item.get("output")))


def _flat(content: Any) -> str:
    if isinstance(content, list):
        parts = cast("list[dict[str, Any]]", content)  # the wire has objects here
        return " ".join(str(part.get("text", "")) for part in parts)
    return "" if content is None else str(content)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
