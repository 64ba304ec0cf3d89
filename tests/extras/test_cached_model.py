"""The same input twice is one model call, if somebody wants that."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from outlast import (
    Agent,
    CachedModel,
    FallbackModel,
    FolderAnswers,
    ModelSettings,
    Paced,
    RedisAnswers,
    RunConfig,
    Runner,
    Usage,
    UserError,
    function_tool,
)
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call


@function_tool
def look(place: str) -> str:
    """Look there."""
    return f"{place} is fine"


def script(*texts: str) -> ScriptedModel:
    steps = [[assistant_message(text)] for text in texts]
    return ScriptedModel(
        steps, default_usage=Usage(requests=1, input_tokens=10, output_tokens=5, total_tokens=15)
    )


def agent_of(model: Any, **more: Any) -> Agent[Any]:
    return Agent(name="clerk", instructions="Be brief.", model=model, **more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def files_in(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


async def asked(
    agent: Agent[Any], text: str = "Hello", *, streamed: bool = False, **more: Any
) -> Any:
    if not streamed:
        return await Runner.run(agent, text, **more)
    result = Runner.run_streamed(agent, text, **more)
    async for _ in result.stream_events():
        pass
    return result


@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("second", [False, True], ids=["whole", "streamed"])
async def test_the_same_input_in_two_runs_is_one_call(folder: Path, first: bool, second: bool):
    inner = script("one", "two")
    before = await asked(agent_of(CachedModel(inner, folder)), streamed=first)
    again = await asked(agent_of(CachedModel(inner, folder)), streamed=second)
    assert [before.final_output, again.final_output] == ["one", "one"]
    assert len(inner.calls) == 1
    assert before.context_wrapper.usage.total_tokens == 15
    assert again.context_wrapper.usage.total_tokens == 0
    assert again.context_wrapper.usage.requests == 0


async def test_tools_of_a_run_with_kept_answers_are_performed(folder: Path):
    turns = [[function_call("look", {"place": "here"}, call_id="c")], [assistant_message("done")]]
    inner = ScriptedModel(turns)
    agent = agent_of(CachedModel(inner, folder), tools=[look])
    results = [await asked(agent), await asked(agent)]
    assert len(inner.calls) == 2
    assert results[0].to_input_list() == results[1].to_input_list()


class Report(BaseModel):
    """What was found."""

    text: str


OTHERS: dict[str, dict[str, Any]] = {
    "input": {"text": "Goodbye"},
    "instructions": {"agent": {"instructions": "Be wordy."}},
    "settings": {"agent": {"model_settings": ModelSettings(temperature=0.5)}},
    "tools": {"agent": {"tools": [look]}},
    "handoffs": {"agent": {"handoffs": [Agent(name="other")]}},
    "output type": {"agent": {"output_type": Report}, "answer": '{"text": "two"}'},
    "conversation": {"run": {"conversation_id": "conv_1"}},
    "previous answer": {"run": {"previous_response_id": "resp_1"}},
}


@pytest.mark.parametrize("name", OTHERS)
async def test_another_request_is_asked(folder: Path, name: str):
    other = OTHERS[name]
    inner = script("one", other.get("answer", "two"))
    agent = agent_of(CachedModel(inner, folder))
    await asked(agent)
    changed = agent.clone(**other.get("agent", {}))
    await asked(changed, other.get("text", "Hello"), **other.get("run", {}))
    assert len(inner.calls) == 2


async def test_another_model_is_asked(folder: Path):
    first, second = script("one"), script("two")
    first.model, second.model = "small", "large"  # pyright: ignore[reportAttributeAccessIssue]
    results = [await asked(agent_of(CachedModel(each, folder))) for each in (first, second)]
    assert [each.final_output for each in results] == ["one", "two"]


async def test_what_has_expired_is_asked_again(folder: Path):
    inner = script("one", "two")
    agent = agent_of(CachedModel(inner, folder, keep_s=-1))
    assert [(await asked(agent)).final_output for _ in range(2)] == ["one", "two"]


async def test_an_answer_that_was_cut_short_is_not_kept(folder: Path):
    half = assistant_message("ha").model_copy(update={"status": "incomplete"})
    inner = ScriptedModel([ModelStep(output=[half]), [assistant_message("whole")]])
    agent = agent_of(CachedModel(inner, folder))
    await asked(agent)
    assert (await asked(agent)).final_output == "whole"


async def test_nothing_that_was_asked_is_on_disk(folder: Path):
    agent = agent_of(CachedModel(script("one"), folder))
    await asked(agent, "my number is 4711", run_config=RunConfig(journal="off"))
    files = files_in(folder)
    assert files
    assert not [each for each in files if b"4711" in each.read_bytes()]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


class Broken:
    """A cache that is down."""

    async def get(self, key: str) -> bytes | None:
        raise ConnectionError(key)

    async def put(self, key: str, data: bytes, keep_s: float) -> None:
        raise ConnectionError(key, data, keep_s)


async def test_a_cache_that_fails_is_passed_by():
    agent = agent_of(CachedModel(script("one"), Broken()))
    assert (await asked(agent)).final_output == "one"


async def test_what_is_damaged_is_asked_anew(folder: Path):
    agent = agent_of(CachedModel(script("one", "two", "three"), folder))
    await asked(agent)
    for each in files_in(folder):
        each.write_bytes(b"\x00\xff")
    assert [(await asked(agent)).final_output for _ in range(2)] == ["two", "two"]


@pytest.mark.parametrize(
    "wrap", [lambda m: FallbackModel([m]), lambda m: Paced(m, requests_per_minute=9)]
)
def test_lists_and_limits_go_around_it(folder: Path, wrap: Any):
    with pytest.raises(UserError, match="takes one model"):
        CachedModel(wrap(script("one")), folder)


async def test_it_may_be_a_member_of_a_list(folder: Path):
    inner = script("one")
    model = FallbackModel([Paced(CachedModel(inner, folder), requests_per_minute=9)])
    assert [(await asked(agent_of(model))).final_output for _ in range(2)] == ["one", "one"]


async def test_a_folder_is_shared_by_many_at_once(folder: Path):
    caches = [FolderAnswers(folder) for _ in range(8)]
    await asyncio.gather(*(each.put("abc", b"x" * 1000, 60) for each in caches))
    assert {await each.get("abc") for each in caches} == {b"x" * 1000}


@pytest.mark.services
@pytest.mark.skipif("OUTLAST_TEST_REDIS_URL" not in os.environ, reason="no Redis")
async def test_redis_keeps_answers_for_a_while():
    from redis.asyncio import Redis

    client = Redis.from_url(os.environ["OUTLAST_TEST_REDIS_URL"])
    prefix = f"test:{os.urandom(4).hex()}:"
    cache = RedisAnswers(client, prefix)
    inner = script("one", "two")
    agent = agent_of(CachedModel(inner, cache))
    assert [(await asked(agent)).final_output for _ in range(2)] == ["one", "one"]
    [name] = await client.keys(f"{prefix}*")
    assert 0 < await client.ttl(name) <= 86_400
    await client.aclose()
