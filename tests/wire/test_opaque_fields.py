"""What only its provider can read goes back to it just as it came, where it came from, and to nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from raw_wire import DONE, Wire, call, chunk, reply, streamed, wire

from outlast import (
    Agent,
    OpenAIChatCompletionsModel,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
)

DETAILS = [
    {"type": "reasoning.text", "text": "Hm.", "signature": "s1", "format": "anthropic", "index": 0},
    {"type": "reasoning.encrypted", "data": "e1", "id": "rs_1", "index": 1},
]
BLOCKS = [
    {"type": "thinking", "thinking": "Hm.", "signature": "s1"},
    {"type": "redacted_thinking", "data": "r1"},
]
SIGNED = {"google": {"thought_signature": "g1"}}
# The model, what its message has beside the calls, and what its calls have.
ROWS: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "gemini: a call": ("gemini-3-pro", {}, [{"extra_content": SIGNED}]),
    "gemini: the first of two calls": ("gemini-3-pro", {}, [{"extra_content": SIGNED}, {}]),
    "gemini: two calls": (
        "gemini-3-pro", {},
        [{"extra_content": SIGNED}, {"extra_content": {"google": {"thought_signature": "g2"}}}],
    ),
    "gemini: more beside it": (
        "gemini-3-pro", {}, [{"extra_content": {"google": {"thought_signature": "g", "part": 7}}}],
    ),
    "gemini: a message": ("gemini-3-pro", {"content": "I look.", "extra_content": SIGNED}, [{}]),
    "gemini behind a proxy": (
        "gemini-3-pro", {}, [{"provider_specific_fields": {"thought_signature": "g1"}}],
    ),
    "gemini in the id": ("gemini-3-pro", {}, [{"id": "c0__thought__g1"}]),
    "gemini under an alias": ("our-best", {}, [{"extra_content": SIGNED}]),
    "openrouter": ("anthropic/claude", {"reasoning": "Hm.", "reasoning_details": DETAILS}, [{}]),
    "openrouter, with a text": (
        "openai/gpt", {"content": "I look.", "reasoning_details": DETAILS[1:]}, [{}, {}],
    ),
    "deepseek": ("deepseek-chat", {"reasoning_content": "Hm."}, [{}]),
    "kimi": ("kimi-k2-thinking", {"reasoning_content": "Hm.", "content": "I look."}, [{}]),
    "glm": ("glm-4.6", {"reasoning_content": "Hm."}, [{}, {}]),
    "groq": ("gpt-oss", {"reasoning": "Hm."}, [{}]),
    "claude behind a proxy": (
        "claude-sonnet", {"reasoning_content": "Hm.", "thinking_blocks": BLOCKS}, [{}],
    ),
    "claude under an alias": ("our-best", {"thinking_blocks": BLOCKS}, [{}]),
    "grok": ("grok-4", {"encrypted_content": "x1"}, [{}]),
    "copilot": ("gpt-5", {"reasoning_opaque": "o1"}, [{}]),
    "a call with a field of its own": ("m", {}, [{"reasoning_details": DETAILS[:1]}, {"signature": "s2"}]),
}  # fmt: skip
each_row = pytest.mark.parametrize("row", ROWS)
both = pytest.mark.parametrize("streams", [False, True])


def _look(n: int) -> str:
    return f"seen {n}"


look = function_tool(_look, name_override="look")


def said(row: str) -> dict[str, Any]:
    """The message of a row."""
    _, fields, calls = ROWS[row]
    made = [call("look", {"n": n}, **{"id": f"c{n}", **more}) for n, more in enumerate(calls)]
    return {"content": None, **fields, "tool_calls": made}


def bodies(row: str, *, streams: bool) -> list[Any]:
    plain = [reply("tool_calls", **said(row)), reply(content="done")]
    return list(map(streamed, plain)) if streams else plain


def agent_of(at: Wire, row: str, tool: Any = look, **options: Any) -> Agent[Any]:
    model = OpenAIChatCompletionsModel(ROWS[row][0], at.client())
    return Agent("desk", model=model, tools=[tool], **options)


async def ended(agent: Agent[Any], given: Any, *, streams: bool, **options: Any) -> Any:
    options.setdefault("run_config", RunConfig(journal="off"))
    if not streams:
        return await Runner.run(agent, given, **options)
    result = Runner.run_streamed(agent, given, **options)
    async for _ in result.stream_events():
        pass
    return result


def check_back(row: str, messages: list[dict[str, Any]]) -> None:
    """The message and its calls are sent as they came."""
    wanted = said(row)
    [got] = [each for each in messages if each.get("tool_calls")]
    assert {**got, "content": got.get("content")} == {"role": "assistant", **wanted}


@both
@each_row
async def test_it_goes_back_where_it_came_from(row: str, streams: bool):
    with wire(*bodies(row, streams=streams)) as at:
        result = await ended(agent_of(at, row), "hi", streams=streams)

    assert result.final_output == "done"
    check_back(row, at.asked[1]["messages"])


@both
@each_row
async def test_it_survives_a_session(row: str, streams: bool):
    with wire(*bodies(row, streams=streams), *bodies(row, streams=streams)[1:]) as at:
        session = SQLiteSession("s")
        for _ in range(2):
            await ended(agent_of(at, row), "hi", streams=streams, session=session)

    check_back(row, at.asked[2]["messages"])


@both
@each_row
async def test_it_survives_the_journal(row: str, streams: bool, tmp_path: Path):
    config = RunConfig(journal=str(tmp_path / "j.db"))
    asks = function_tool(_look, name_override="look", needs_approval=True)
    with wire(bodies(row, streams=streams)[0], reply(content="done")) as at:
        await ended(agent_of(at, row, asks), "hi", streams=streams, run_config=config, run_id="r")
        again = agent_of(at, row, asks)
        state = (await Runner.resume("r", again, run_config=config)).to_state()
        for waiting in state.get_interruptions():
            state.approve(waiting)
        result = await Runner.run(again, state, run_config=config)

    assert result.final_output == "done"
    check_back(row, at.asked[1]["messages"])


@both
@each_row
async def test_it_survives_a_handoff_to_an_agent_of_the_same_model(row: str, streams: bool):
    handed = reply("tool_calls", content=None, tool_calls=[call("transfer_to_next", {}, id="t")])
    first, last = bodies(row, streams=streams)
    with wire(first, streamed(handed) if streams else handed, last) as at:
        model = OpenAIChatCompletionsModel(ROWS[row][0], at.client())
        desk = agent_of(at, row, handoffs=[Agent("next", model=model)])
        result = await ended(desk, "hi", streams=streams)

    assert result.last_agent.name == "next"
    kept = at.asked[2]["messages"][:3]
    check_back(row, kept)


@both
@each_row
async def test_it_is_not_sent_to_another_model(row: str, streams: bool):
    with wire(*bodies(row, streams=streams)) as at:
        before = await ended(agent_of(at, row), "hi", streams=streams)
        other = Agent("other", model=OpenAIChatCompletionsModel("llama-4", at.client()))
        await ended(other, before.to_input_list(), streams=streams)
        sent = at.asked[-1]["messages"]

    [got] = [each for each in sent if each.get("tool_calls")]
    assert set(got) <= {"role", "content", "tool_calls"}
    assert all(set(each) == {"id", "type", "function"} for each in got["tool_calls"])
    assert not any(secret in json.dumps(sent) for secret in SECRETS)


SECRETS = ('"s1"', '"e1"', '"r1"', '"g1"', '"x1"', '"o1"', "Hm.")


def _pieces(*details: dict[str, Any]) -> list[str]:
    calls = [{"index": 0, **call("look", {"n": 0}, id="c0")}]
    told = [chunk(reasoning_details=[each]) for each in details]
    return [*told, chunk(tool_calls=calls), chunk("tool_calls"), DONE]


async def test_details_that_come_in_pieces_go_back_whole():
    def text(**more: str) -> dict[str, Any]:
        return {"type": "reasoning.text", "index": 0, **more}

    pieces = _pieces(
        text(text="H"), text(text="m."), text(signature="s1"),
        {"type": "reasoning.encrypted", "index": 1, "data": "e1"},
        {"type": "reasoning.encrypted", "index": 2, "data": "e2"},
    )  # fmt: skip
    with wire(pieces, streamed(reply(content="done"))) as at:
        await ended(agent_of(at, "openrouter"), "hi", streams=True)
        got = at.asked[1]["messages"][1]

    assert got["reasoning_details"] == [
        text(text="Hm.", signature="s1"),
        {"type": "reasoning.encrypted", "index": 1, "data": "e1"},
        {"type": "reasoning.encrypted", "index": 2, "data": "e2"},
    ]
