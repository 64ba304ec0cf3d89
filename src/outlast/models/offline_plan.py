"""What a conversation asks for next: which tools and handoffs, and with which arguments."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from outlast.definitions.tool_origin import MCPSource
from outlast.models.offline_args import Filled, Schema, Source, filled
from outlast.models.offline_text import (
    STOP,
    clauses,
    is_negated,
    meet,
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
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_POLITE = re.compile(r"\bplease\b|\b(?:can|could|will|would) you\b", re.IGNORECASE)
_FAILED = re.compile(
    r"\b(?:errors?|fail(?:ed|ure)|not found|no such|does not exist|unknown|invalid|denied|"
    r"rejected|not approved|timed out|unable)\b",
    re.IGNORECASE,
)
_PATIENCE = 24  # Calls in one exchange; then it answers, whatever is still open.
_ENOUGH = 1.5  # One word of the name that at most two tools share, or two of the description.
_Calls = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Option:
    """A tool or a handoff that the agent may use."""

    name: str
    description: str
    schema: Schema
    is_handoff: bool = False
    source: MCPSource | None = None
    """Where it comes from, if somebody else's server offers it."""

    @cached_property
    def parameters(self) -> set[str]:
        """The names of its parameters."""
        return set(self.schema.get("properties") or ())

    @cached_property
    def name_stems(self) -> list[str]:
        """What its name says, the words of every name left out."""
        return stems(self.name)

    @cached_property
    def text_stems(self) -> set[str]:
        """What its description and parameters say beside its name."""
        told = {stem(word) for name in self.parameters for word in words(name)}
        return (told | set(stems(self.description))) - set(self.name_stems)

    @property
    def reads(self) -> bool:
        """Whether it only looks something up."""
        if self.source is not None and self.source.is_read_only is not None:
            return self.source.is_read_only
        return not _READS.isdisjoint(words(self.name))

    @property
    def deed(self) -> list[str]:
        """The first word of its description, where that says what it does: ["cancel"] of "Cancel it."."""
        first = words(self.description)[:1]
        return [stem(each) for each in first if each not in STOP and each not in _VAGUE]

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


def read(given: str | list[Any]) -> Conversation:
    """The conversation in a request's input."""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    wire: list[dict[str, Any]] = [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in items
    ]
    spoken = [index for index, item in enumerate(wire) if item.get("role") == "user"]
    last = spoken[-1] if spoken else 0
    outputs = {item.get("call_id"): item["output"] for item in wire if "output" in item}
    return Conversation(
        request=_text(wire[last].get("content")) if spoken else "",
        earlier=" \n".join(_text(item.get("content", item.get("output"))) for item in wire[:last]),
        calls=[_past_call(item, outputs) for item in wire[last:] if _is_call(item)],
        calls_so_far=sum(map(_is_call, wire)),
        items=len(wire),
    )


def next_calls(
    talk: Conversation, options: list[Option], tool_choice: object = None
) -> tuple[_Calls, list[str]]:
    """What to call now: a handoff, else what reads, else what acts, else nothing.

    Beside it, in sentences, what was asked for and is not called, and why.
    """
    if tool_choice == "none" or not options or len(talk.calls) >= _PATIENCE:
        return [], []
    plan = _Plan(talk, options)
    named = [option for option in options if option.name == tool_choice]
    calls = plan.forced(named[0]) if named else plan.chosen()
    if not calls and tool_choice == "required":
        calls = plan.forced(max(options, key=lambda option: plan.scores[option.name]))
    return calls, [] if calls or named or tool_choice == "required" else plan.reasons()


def _is_ordered(text: str, name: str) -> bool:
    """Whether a text says outright to do what a tool does that it has not been written for.

    A tool of somebody else's server changes files or sends mail. A question, or a word that its name
    happens to share with the text, is no order.
    """
    verb = stems(name)[:1]
    sentences = [each for each in _SENTENCE.split(text) if meet(verb, stems(each))]
    return any(
        not is_negated(each, verb[0]) and (not each.endswith("?") or _POLITE.search(each))
        for each in sentences
    )


class _Plan:
    """One turn: the conversation, and how well each option fits it."""

    def __init__(self, talk: Conversation, options: list[Option]) -> None:
        self.talk = talk
        self.said = stems(talk.request)
        self.tools = [option for option in options if not option.is_handoff]
        # A word that many share counts for less.
        shared = Counter(s for o in options for s in {*o.name_stems, *o.text_stems})
        self.scores = {
            option.name: sum(
                weight / shared[s]
                for weight, told in ((3, {*option.name_stems}), (1, option.text_stems))
                for s in told
                if meet([s], self.said)
            )
            for option in options
        }
        named = [words(name) for tool in self.tools for name in tool.parameters]
        keys = [name for name in named if name[1:] and name[-1] in ("id", "number", "code")]
        self.nouns = frozenset(stem(name[0]) for name in keys)
        self.transfer = self._best_transfer([option for option in options if option.is_handoff])
        self.acting = [o for o in self.tools if not o.reads and self._is_asked_for(o)]

    def chosen(self) -> _Calls:
        """The calls that the request asks for."""
        fitting = [option for option in self.tools if option.reads and self._is_of_use(option)]
        own = max((self.scores[o.name] for o in (*self.acting, *fitting)), default=0.0)
        transfer = self.transfer
        hand_off = [] if transfer is None else [(transfer.name, self._arguments(transfer))]
        if transfer is not None and self.scores[transfer.name] > own:
            return hand_off
        return self._calls(fitting) or self._calls(self.acting) or hand_off

    def forced(self, option: Option) -> _Calls:
        """A call of ``option`` come what may, unless that has been made."""
        arguments = self._arguments(option)
        return [] if self._is_done(option, arguments) else [(option.name, arguments)]

    def reasons(self) -> list[str]:
        """Why what was asked for is not called."""
        told: list[str] = []
        called = {call.name for call in self.talk.calls}
        for option in self.tools:
            fits = self.scores[option.name] >= _ENOUGH if option.reads else option in self.acting
            if not fits or option.name in called:
                continue
            missing = self._filled(option).missing
            if not option.reads and any(call.failed for call in self.talk.calls):
                told.append(f"I did not call {option.name}, because looking it up failed.")
            elif missing:
                told.append(f"I did not call {option.name}: {', '.join(missing)} is missing.")
        return told

    def _best_transfer(self, handoffs: list[Option]) -> Option | None:
        """The handoff that fits best; none that was taken before, so that agents do not play ball."""
        before = f"{self.talk.request} {self.talk.earlier}"
        taken = {call.name for call in self.talk.calls}
        free = [o for o in handoffs if o.name not in taken and o.name not in before]
        free = [option for option in free if self.scores[option.name] >= 1]
        return max(free, key=lambda option: self.scores[option.name], default=None)

    def _is_asked_for(self, option: Option) -> bool:
        """Whether the request names what this tool does, and does not say to leave it."""
        if option.source is not None:
            return _is_ordered(self.talk.request, option.source.tool)
        decisive = [option.verb]
        if option.verb in {stem(verb) for verb in _VAGUE}:
            rest = option.name_stems[1:]
            others = {s for o in self.tools if o is not option for s in o.name_stems}
            decisive = [s for s in rest if s not in others] or rest or decisive
        decisive += option.deed
        hits = [s for s in decisive if meet([s], self.said)]
        return not all(is_negated(self.talk.request, s) for s in hits)

    def _is_of_use(self, option: Option) -> bool:
        """Whether looking here is asked for, or is what one does before the acts that are."""
        score = self.scores[option.name]
        if score >= _ENOUGH or any(option.parameters & act.parameters for act in self.acting):
            return True
        rivals = [o for o in self.tools if o.reads and self.scores[o.name] > score]
        mentioned = any(m.kind in ("id", "email") for m in mentions(self.talk.request))
        return mentioned and not rivals and not self.acting and bool(self._filled(option).calls)

    def _calls(self, chosen: list[Option]) -> _Calls:
        """The calls of some tools that have not been made, and that no lookup speaks against."""
        failures = [call for call in self.talk.calls if call.failed]
        failed = [str(value) for call in failures for value in call.arguments.values()]
        wanted: _Calls = []
        for option in chosen:
            # What is looked up before an act is everything that the act may be about.
            is_apart = option in self.acting or not any(
                option.parameters & act.parameters for act in self.acting
            )
            for arguments in self._filled(option, self._part(option) if is_apart else None).calls:
                is_futile = option in self.acting and any(
                    str(value) in failed for value in arguments.values()
                )
                if not is_futile and not self._is_done(option, arguments):
                    wanted.append((option.name, arguments))
        return wanted

    def _is_done(self, option: Option, arguments: dict[str, Any]) -> bool:
        """Whether it has been called for the same thing; what it was told beside that may differ.

        What tools returned since may fill a parameter anew. That must not make an act happen again.
        """
        keys = [key for key in arguments if words(key)[-1:] in (["id"], ["ids"], ["number"])]
        about = {key: arguments[key] for key in keys or list(arguments)[:1]}
        return any(
            call.name == option.name and about.items() <= call.arguments.items()
            for call in self.talk.calls
        )

    def _filled(self, option: Option, part: str | None = None) -> Filled:
        """The arguments of ``option``, from a part of the request or all of it."""
        source = replace(
            self.talk.source(),
            text=self.talk.request if part is None else part,
            busy=frozenset(option.name_stems),
            nouns=self.nouns,
        )
        return filled(option.schema, source)

    def _arguments(self, option: Option) -> dict[str, Any]:
        """Arguments for one call, whether they are complete or not."""
        made = self._filled(option)
        return made.calls[0] if made.calls else dict.fromkeys(made.missing, "")

    def _part(self, option: Option) -> str:
        """The clauses that are about ``option``: from its verb to the next verb, and mere remarks.

        "Refund A-1 and A-2, and check A-3" is about A-1 and A-2 for a refund. Where it names
        nothing itself ("the lamp from A-1 is broken, refund it"), everything is about it.
        """
        others = {tool.verb for tool in self.tools if tool is not option}
        if not option.reads:
            others |= {stem(verb) for verb in _READS}
        others -= {option.verb}
        own = [s for s in option.name_stems if s not in others]
        kept: list[str] = []
        is_own = False
        for clause in clauses(self.talk.request):
            said = stems(clause)
            if meet(own, said):
                is_own = True
            elif not others.isdisjoint(said):
                is_own = False
            if is_own or not _names_things(clause):
                kept.append(clause)
        return ", ".join(kept) if any(map(_names_things, kept)) else self.talk.request


def _names_things(clause: str) -> bool:
    return any(m.kind in ("id", "number", "email", "money") for m in mentions(clause))


def _is_call(item: dict[str, Any]) -> bool:
    return item.get("type") == "function_call"


def _past_call(item: dict[str, Any], outputs: dict[Any, Any]) -> Call:
    arguments = _parsed(item.get("arguments") or "{}")
    value = _parsed(_text(outputs.get(item.get("call_id"))))
    is_transfer = isinstance(value, dict) and set(value) == {"assistant"}  # pyright: ignore[reportUnknownArgumentType]
    known = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
    return Call(str(item.get("name")), known, value, is_transfer)


def _text(content: object) -> str:
    if isinstance(content, list):
        parts = cast("list[dict[str, Any]]", content)  # the wire has objects here
        return " ".join(str(part.get("text", "")) for part in parts)
    return "" if content is None else str(content)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
