"""A short notation for logs, so that a table of them can be read.

start(session,shortens,limit=2,blocking=a|b,beside=c,hold=0,parallel=1,forgive,parks,recover)
p1 p1(asked) p1(ends)          a turn is prepared; user code has a word in its end; its tools may end the run
m1 m1(c=look,d=pay.yes.once)   a reply: a text, or calls: `id=name.approval.policy.lane`
                               `h=>b` a handoff, `u=?gone` a name that no tool has, `q=%search` hosted
+t1.c  +t1.c#2  +t1.c/once     an effect begins, its attempt, its policy
=t1.c  =h1.h>b  =h1.h>b(filter)  =g1.in.0  =g1.in.0!  =a1.c  =f1  =f1(out:g)  =f1(tool)  =e1  =w.m1.1
                               it ends; `!` trips; `f1` alone lets the run go on
!t1.c  !m1@5  !m1^  !m1:Kind   it fails: for good, to be tried at 5, of an outage, with this error
?c  ?c*2  ?x~kid@t1.c          a call waits for a person; in doubt after attempt 2; a child's call waits
yes:c no:c always:c never:c yes:x~kid
load save0 save3 save3!        the session was read, holds the input, three entries; of a run that fails
shorten3                       it was asked to shorten itself when it held three entries
crash cancel fail:Kind done stopped reopen reopen(5) reopen+ input input(g) message left fork
park:m1 unpark blocked:c compact accepted:m1 step:t1.c child:t1.c usage context timer unknown
"""

from __future__ import annotations

import re
from typing import Any

from outlast.core.decide import decide
from outlast.core.effects import Effect, Record, RunTool
from outlast.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalWaived,
    Call,
    CancelRequested,
    ChildStarted,
    ContextPatched,
    EffectAccepted,
    EffectFailed,
    EffectStarted,
    ErrorFacts,
    Event,
    GuardrailChecked,
    GuardrailNames,
    HandedOff,
    History,
    HistoryCompacted,
    InputAdded,
    MessageReceived,
    ModelReplied,
    OutputBlocked,
    OutputProduced,
    RunAbandoned,
    RunAcquired,
    RunCancelled,
    RunCompleted,
    RunCopied,
    RunFailed,
    RunForked,
    RunParked,
    RunReopened,
    RunStarted,
    RunUnparked,
    SessionHeldBack,
    SessionLoaded,
    SessionSaved,
    SessionShortened,
    StepRecorded,
    TimerFired,
    TimerSet,
    ToolReturned,
    TurnContinued,
    TurnPrepared,
    UnknownEvent,
    UsageAdded,
    UsageFacts,
)
from outlast.core.evolve import fold
from outlast.core.ids import EffectId

USER: dict[str, Any] = {"role": "user", "content": "hi"}
KINDS: dict[str, Any] = {"park": "timer", "wait": "timer"}


def text(said: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": said}
    return {"type": "message", "role": "assistant", "content": [part]}


def asked(call_id: str, name: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


def output(call_id: str, said: str = "out") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def log_of(line: str) -> list[Event]:
    """The log that a line of the notation says."""
    return [event(word) for word in line.split()]


def wants_of(log: list[Event]) -> str:
    """What the run needs after a log, as a line."""
    return " ".join(_named(effect) for effect in decide(fold(log))) or "-"


def event(word: str) -> Event:
    """The event that a word says."""
    made = _plain(word) or _named_event(word) or _effect_event(word)
    assert made, word
    return made


def _named(effect: Effect) -> str:
    match effect:
        case RunTool(verdict="run") if effect.policy != "retry":
            return f"{effect.id}/{effect.policy}"
        case RunTool(verdict="run"):
            return effect.id
        case RunTool():
            return f"{effect.id}:{effect.verdict}"
        case Record(event=RunFailed(error=error)):
            return f"fail:{error.kind}"
        case Record(event=ToolReturned() as answer):
            return f"{answer.outcome}:{answer.call_id}"
        case Record():
            return {"RunCompleted": "done", "RunCancelled": "stopped"}.get(
                type(effect.event).__name__, type(effect.event).__name__
            )
        case _:
            return effect.id


def _plain(word: str) -> Event | None:
    simple: dict[str, Event] = {
        "load": SessionLoaded("s0.load", [USER], [USER]),
        "crash": RunAcquired("pid 1"),
        "cancel": CancelRequested(),
        "done": RunCompleted(),
        "stopped": RunCancelled("after_turn"),
        "reopen": RunReopened(),
        "reopen+": RunReopened(repeats_tools=True),
        "left": RunAbandoned(),
        "message": MessageReceived("i9", [USER]),
        "input": InputAdded("i1", [USER]),
        "unpark": RunUnparked(),
        "fork": RunForked("other", 3),
        "copied": RunCopied("third"),
        "compact": HistoryCompacted("x", History([USER], ())),
        "usage": UsageAdded("x", UsageFacts(1)),
        "context": ContextPatched({"a": 1}),
        "timer": TimerSet("w", 1.0),
        "unknown": UnknownEvent("of.tomorrow", {"a": 1}),
    }
    return simple.get(word)


def _named_event(word: str) -> Event | None:  # one line a word
    name, _, rest = word.partition(":")
    match name:
        case "fail":
            return RunFailed(ErrorFacts(rest, ""))
        case "yes" | "no" | "always" | "never":
            call_id, _, child = rest.partition("~")
            word_of = {"approved": name in ("yes", "always"), "always": name in ("always", "never")}
            # The calls of these logs are all of one tool where somebody decides for all of them.
            return ApprovalDecided(call_id, agent="a", name="pay", child=child, **word_of)
        case "park":
            return RunParked(f"k.{rest}.1", rest, 60.0, 30.0)
        case "blocked":
            return OutputBlocked(f"t1.{rest}", rest, output(rest, "withheld"))
        case "accepted":
            return EffectAccepted(rest, "resp")
        case "step":
            return StepRecorded(rest, "part", 1)
        case "child":
            return ChildStarted(rest, f"r/{rest}", "kid")
        case _:
            return None


def _effect_event(word: str) -> Event | None:
    sign, rest = word[0], word[1:]
    if sign in "+=!?":
        return {"+": _begun, "=": _ended, "!": _failed, "?": _waits}[sign](rest)
    for pattern, make in _SHAPES.items():
        if found := re.fullmatch(pattern, word):
            return make(*(group or "" for group in found.groups()))
    return None


def _begun(rest: str) -> Event:
    key, number, policy = _groups(r"([^#/]+)(?:#(\d+))?(?:/(\w+))?", rest)
    kind = EffectId.parse(key).kind
    return EffectStarted(
        key,
        KINDS.get(kind, kind),
        "",
        int(number or 1),
        policy or "retry",  # type: ignore[arg-type]
    )


def _ended(rest: str) -> Event:  # noqa: PLR0911  # one line a kind of effect
    key, to, more, trips = _groups(r"([^>(!]+)(?:>(\w+))?(?:\(([^)]*)\))?(!)?", rest)
    place = EffectId.parse(key)
    match place.kind:
        case "tool":
            return ToolReturned(key, place.key, output(place.key))
        case "handoff" if not to:
            return ToolReturned(key, place.key, output(place.key), "ignored")
        case "handoff":
            history = History([USER], (), ()) if more else None
            return HandedOff(key, place.key, "a", to, output(place.key), history)
        case "guardrail":
            stage = "output" if ".out." in key else "input"
            return GuardrailChecked(key, stage, "g", tripped=bool(trips))
        case "approval":
            return ApprovalWaived(key, place.key)
        case "conclude" if not more:
            return TurnContinued(key)
        case "conclude":
            kind, _, names = more.partition(":")
            names = tuple(name for name in names.split("|") if name)
            return OutputProduced(key, "x", "tool" if kind == "tool" else "text", None, names)
        case "recover":
            return OutputProduced(key, "handled", "handler", text("handled"))
        case _:
            return TimerFired(key)


def _failed(rest: str) -> Event:
    key, at, outage, kind = _groups(r"([^@^:]+)(?:@(\d+))?(\^)?(?::(\w+))?", rest)
    error = ErrorFacts(kind or "Broken", "", key)
    return EffectFailed(key, error, float(at) if at else None, is_outage=bool(outage))


def _waits(rest: str) -> Event:
    call_id, attempt, child, effect = _groups(r"([^*~@]+)(?:\*(\d+))?(?:~(\w+))?(?:@(.+))?", rest)
    if child:
        return ApprovalRequested(effect, call_id, "kid", "pay", reason="child", child=child)
    reason = "in_doubt" if attempt else "policy"
    number = int(attempt or 0)
    return ApprovalRequested(f"t1.{call_id}", call_id, "a", "pay", reason=reason, number=number)


def _started(options: str) -> Event:
    said: dict[str, Any] = dict(
        (part.split("=") if "=" in part else (part, True)) for part in options.split(",") if part
    )
    names = {key: tuple(said.pop(key, "").split("|")) for key in ("blocking", "beside")}
    blocking, beside = (tuple(filter(None, each)) for each in names.values())
    limit = said.pop("limit", None)
    spelled = {
        "hold": ("hold_side_effects", lambda value: value == "1"),
        "parallel": ("max_parallel_calls", int),
        "forgive": ("forgive_unknown_tools", bool),
        "shortens": ("shortens_session", bool),
        "recover": ("recover_max_turns", bool),
    }
    known = {key: spelled.get(key, (key, bool)) for key in said}
    return RunStarted(
        agent="a",
        input=[USER],
        max_turns=int(limit) if limit else None,
        guardrails=GuardrailNames(blocking, beside),
        options={known[key][0]: known[key][1](value) for key, value in said.items()},
    )


def _prepared(number: str, how: str) -> Event:
    ending = "asked" if how == "asked" else "text"
    return TurnPrepared(f"p{number}", "a", ending=ending, tools_may_end=how == "ends")


def _replied(number: str, spec: str) -> Event:
    if not spec:
        return ModelReplied(f"m{number}", "a", [text("said")])
    calls = [_call(n, part) for n, part in enumerate(spec.split(","))]
    items = [asked(call.id, call.name) for call in calls]
    return ModelReplied(f"m{number}", "a", items, tuple(calls))


def _call(index: int, part: str) -> Call:
    call_id, name = part.split("=")
    if name[0] in ">?%":
        kind: Any = {">": "handoff", "?": "unknown", "%": "hosted"}[name[0]]
        return Call(call_id, name[1:], kind, index)
    name, approval, policy, lane = [*name.split("."), "", "", ""][:4]
    said: dict[str, Any] = {"approval": approval or "no", "policy": policy or "retry"}
    return Call(call_id, name, "function", index, lane=lane, **said)


def _saved(upto: str, last: str) -> Event:
    key = "s0" if upto == "0" else f"s1.{upto}"
    return SessionSaved(key, int(upto), is_last=bool(last))


def _held_back(upto: str) -> Event:
    return SessionHeldBack("s0" if upto == "0" else f"s1.{upto}")


def _shortened(upto: str) -> Event:
    return SessionShortened(f"s1.{upto}.shorten", int(upto))


def _staged(names: str) -> Event:
    return InputAdded("i1", [USER], GuardrailNames(tuple(names.split("|"))))


def _reopened(limit: str) -> Event:
    return RunReopened(int(limit), has_limit=True)


_SHAPES: dict[str, Any] = {
    r"start(?:\(([^)]*)\))?": _started,
    r"p(\d+)(?:\((\w+)\))?": _prepared,
    r"m(\d+)(?:\(([^)]*)\))?": _replied,
    r"save(\d+)(!)?": _saved,
    r"heldback(\d+)": _held_back,
    r"shorten(\d+)": _shortened,
    r"input\(([^)]*)\)": _staged,
    r"reopen\((\d+)\)": _reopened,
}


def _groups(pattern: str, said: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, said)
    assert found, said
    return tuple(group or "" for group in found.groups())
