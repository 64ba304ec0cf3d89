"""Write the golden log of this version: `python tests/golden/write_log.py`, once per release.

A log that a release has written is never written again: that later versions read it is the point.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from outlast.core.events import (
    VERSION,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    ApprovalWaived,
    BudgetRaised,
    BudgetWarned,
    Call,
    CancelRequested,
    ChildCompleted,
    ChildStarted,
    CommandTaken,
    ContextPatched,
    EffectAccepted,
    EffectFailed,
    EffectLost,
    EffectStarted,
    Entry,
    ErrorFacts,
    Event,
    GuardrailChecked,
    GuardrailNames,
    HandedOff,
    History,
    HistoryCompacted,
    InputAdded,
    LastTurnBegun,
    LimitRaised,
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
    RunPaused,
    RunReopened,
    RunStarted,
    RunUnparked,
    RunUnpaused,
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
    UsageAdded,
    UsageFacts,
)  # fmt: skip
from outlast.core.identity import RunMetadata
from outlast.journal.codec import encode, seal

RUN = "golden"
FOLDER = Path(__file__).parent


def user(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


def message(text: str) -> dict[str, object]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], "status": "completed"}


def called(call_id: str, name: str) -> dict[str, object]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": '{"q":1}'}


def answer(call_id: str, text: str) -> dict[str, object]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


USAGE = UsageFacts(1, 120, 30, 150, 100, 5, 12)
CALLS = (
    Call("c1", "lookup", "function", 0),
    Call("c2", "pay", "function", 1, approval="yes", policy="once", lane="money"),
    Call("c3", "transfer_to_clerk", "handoff", 2, namespace="desk"),
)
KEPT = Entry(user("Grüße, 你好"), "message", "triage", "start")

APPENDS: list[list[Event]] = [
    [
        RunStarted(
            "triage", [user("Grüße, 你好")], is_text=True, max_turns=10,
            guardrails=GuardrailNames(("polite",), ("safe",)), options={"session": True},
            parent="parent", parent_effect="t1.c9",
            metadata=RunMetadata(user="ada", tenant="north", session_id="s1", tags=("vip",)), salt="5a17",
        ),
        SessionLoaded("s0", [user("earlier"), user("Grüße, 你好")], [user("Grüße, 你好")], 1, ("0a1b",)),
        GuardrailChecked("g1.in.0", "input", "polite", info={"score": 0.25}, agent="triage"),
        EffectStarted("p1", "prepare"),
    ],
    [
        TurnPrepared("p1", "triage", "a" * 40, "b" * 40, "c" * 40, prompt={"id": "pmpt_1"}),
        EffectStarted("m1", "model", "gpt", key="golden/m1"),
    ],
    [EffectAccepted("m1", "resp_1")],
    [
        ModelReplied(
            "m1", "triage",
            [called("c1", "lookup"), called("c2", "pay"), called("c3", "transfer_to_clerk")],
            CALLS, USAGE, "resp_1", "req_1",
        ),
        EffectStarted("t1.c1", "tool", "lookup", 2, "retry", "golden/t1.c1"),
        ApprovalRequested("t1.c2", "c2", "triage", "pay", "f" * 16, "in_doubt", item=called("c2", "pay")),
    ],
    [EffectLost("t1.c1"), EffectStarted("t1.c1", "tool", "lookup", 3, "retry", "golden/t1.c1")],
    [StepRecorded("t1.c1", "fetch", {"rows": [1, 2.5, None, True]}), ChildStarted("t1.c1", "golden/c1", "expert", is_nested=True)],
    [ChildCompleted("t1.c1", "golden/c1"), ToolReturned("t1.c1", "c1", answer("c1", "found"), name="lookup")],
    [ApprovalDecided("c2", True, always=True, message="go", agent="triage", name="pay", by="grace", why="known customer", at=1795270211.25), ApprovalWaived("t1.c2", "c2")],
    [EffectFailed("t1.c2", ErrorFacts("TimeoutError", "took 3 s", "t1.c2", {"s": 3}), 1795270211.5), TimerSet("w1", 1795270211.5)],
    [TimerFired("w1"), ToolReturned("t1.c2", "c2", answer("c2", "paid"), "unknown", "pay", error=ErrorFacts("OSError", "gone"))],
    [HandedOff("h1.c3", "c3", "triage", "clerk", answer("c3", "to clerk"), History([user("hi")], (KEPT,), (KEPT,)))],
    [RunAcquired("pid 7"), MessageReceived("i1", [user("wait")]), InputAdded("i2", [user("more")], GuardrailNames(("polite",)))],
    [ContextPatched({"user": {"name": "Ada"}}), HistoryCompacted("k1", History([user("in short")], ()))],
    [OutputProduced("f2", {"total": 3}, "structured", message("3"), ("sane",)), TurnContinued("f2")],
    [OutputBlocked("f2", "c1", answer("c1", "withheld")), UsageAdded("k1", USAGE), SessionSaved("s1", 3)],
    [SessionHeldBack("s1.4"), SessionShortened("s1.3.shorten", 3)],
    [RunFailed(ErrorFacts("MaxTurnsExceeded", "10 turns")), RunReopened(20, has_limit=True), CancelRequested()],
    [CommandTaken("k1", "pause", "grace"), RunPaused("grace", "too quick"), CommandTaken("k2", "go_on"), RunUnpaused()],
    [ApprovalVoted("c1", True, by="ann", why="yes", at=1.0)],
    [BudgetWarned("m2", "run:r\n", "run 'r'", "cost_usd", 0.8, 1.0), LastTurnBegun("m2", "run 'r'"), BudgetRaised("k9", tokens=5, by="ann", why="more")],
    [CommandTaken("k3", "raise_limit"), LimitRaised(40, "grace"), CommandTaken("k4", "decide", "bob", ErrorFacts("CallNotFound", "no call waits"))],
    [RunParked("k.m3.1", "m3", 1795270241.5, 30.0), RunUnparked()],
    [RunAbandoned("finish"), RunCancelled("after_turn", "grace", "not needed"), RunForked("other", 4), RunCopied("third"), RunCompleted()],
]  # fmt: skip


def write(file: Path) -> None:
    seq = 0
    lines: list[str] = []
    for n, events in enumerate(APPENDS):
        row = seal(encode(events), RUN, seq, 1 + n // 10, 1795270211000000 + n)
        seq += row.length
        lines.append(json.dumps([*row[:-1], base64.b64encode(row.body).decode()]))
    file.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    target = FOLDER / f"v{VERSION}.jsonl"
    if target.exists():
        raise SystemExit(f"{target} exists. A golden log is not written twice.")
    write(target)
