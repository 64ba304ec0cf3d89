"""Facts that outlive conversations: found by their user, found by nobody else, and forgotten for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outlast import Agent, Compaction, RunConfig, Runner, SQLiteSession, UserError
from outlast.extras.memory import HashingEmbedder, Memory, OpenAIEmbedder
from outlast.testing import ModelStep, ScriptedModel, assistant_message, function_call

FACTS = (
    "The user's daughter is called Ida and plays the cello.",
    "The user is allergic to peanuts.",
    "The user lives in Bern, near the railway station.",
    "The order A-1007 was sent to the wrong address.",
    "The user prefers to be called by phone in the morning.",
)
QUESTIONS = (
    ("What is the name of my daughter?", 0),
    ("Which instrument does she play, the cello?", 0),
    ("Does the user have allergies to peanuts?", 1),
    ("Where does the user live?", 2),
    ("wrong address of an order", 3),
    ("phone or mail in the mornings?", 4),
)


@pytest.fixture
async def memory(tmp_path: Path) -> Any:
    memory = Memory(tmp_path / "memory.db")
    for fact in FACTS:
        await memory.remember(fact, user="ada")
    yield memory
    memory.close()


@pytest.mark.parametrize(("question", "fact"), QUESTIONS)
async def test_a_fact_is_recalled_by_its_words(memory: Memory, question: str, fact: int):
    for number in range(200):
        await memory.remember(f"Note {number}: the weather was number {number * 7}.", user="ada")
    found = await memory.recall(question, user="ada")
    assert FACTS[fact] in [each.text for each in found[:2]]


async def test_nobody_recalls_what_another_user_told(memory: Memory):
    assert await memory.recall("daughter Ida cello", user="bob") == []
    assert memory.all(user="bob") == []
    assert memory.forget(user="bob") == 0
    (first, *_) = memory.all(user="ada")
    assert memory.forget(first.id, user="bob") == 0


async def test_the_same_fact_is_kept_once(memory: Memory):
    first = await memory.remember("The user likes tea.", user="ada")
    assert await memory.remember("  the user likes TEA. ", user="ada") == first
    assert await memory.remember("The user likes tea.", user="bob") != first


async def test_what_is_forgotten_is_not_in_the_file_any_more(memory: Memory, tmp_path: Path):
    secret = "The user's password hint is xyzzyplugh."
    fact_id = await memory.remember(secret, user="ada")
    assert memory.forget(fact_id, user="ada") == 1
    assert await memory.recall("xyzzyplugh", user="ada", limit=50) == [
        each
        for each in await memory.recall("xyzzyplugh", user="ada", limit=50)
        if each.id != fact_id
    ]
    assert b"xyzzyplugh" not in bytes_in(tmp_path)
    assert memory.forget(user="ada") == len(FACTS)
    assert memory.all(user="ada") == []


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("memory.db*"))


async def test_a_fact_may_expire(tmp_path: Path):
    memory = Memory(tmp_path / "m.db", ttl_s=-1)
    await memory.remember("The code of today is 1234.", user="ada")
    assert await memory.recall("code", user="ada") == []
    memory.close()


async def test_it_outlives_the_object_and_knows_its_embedder(memory: Memory, tmp_path: Path):
    again = Memory(tmp_path / "memory.db")
    assert [each.text for each in again.all(user="ada")] == list(FACTS)
    again.close()
    with pytest.raises(UserError, match="cannot be compared"):
        Memory(tmp_path / "memory.db", embedder=HashingEmbedder(64))


async def test_hostile_texts_are_texts(memory: Memory):
    for text in ('" OR 1=1 --', "a AND (b", "NEAR(", "'; DROP TABLE memory_facts; --", "😀", "* ^"):
        await memory.remember(text, user="ada")
        assert text in [each.text for each in await memory.recall(text, user="ada", limit=20)]


@pytest.mark.parametrize(
    ("text", "user"), [("", "ada"), ("x" * 4001, "ada"), ("x", ""), ("x", " ")]
)
async def test_what_is_no_fact_of_anybody_is_refused(memory: Memory, text: str, user: str):
    with pytest.raises(UserError):
        await memory.remember(text, user=user)


async def test_the_model_does_not_choose_whose_memory_it_is(memory: Memory):
    model = ScriptedModel(
        [
            [function_call("recall", {"query": "daughter", "user": "ada"}, call_id="c1")],
            [assistant_message("done")],
        ]
    )
    agent: Any = Agent(
        name="clerk", model=model, tools=memory.tools(lambda context: context.context["user"])
    )
    await Runner.run(agent, "?", context={"user": "bob"})
    assert "Ida" not in str(model.calls[-1].input)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_what_was_told_in_turn_1_is_recalled_in_turn_400(tmp_path: Path):
    memory, session = Memory(tmp_path / "memory.db"), SQLiteSession("s", tmp_path / "s.db")

    class Clerk(ScriptedModel):
        async def get_response(self, *args: Any, **options: Any) -> Any:
            items = args[1]
            said = str(items[-1].get("content", ""))
            output: Any = assistant_message("Noted. " + "And much else was said. " * 40)
            if "keep the notes" in (args[0] or ""):
                output = assistant_message("They talk.")
            elif items[-1].get("type") == "function_call_output":
                output = assistant_message(str(items[-1]["output"]))
            elif said.startswith("My"):
                fact = f"The user said: {said}"
                output = function_call("remember", {"fact": fact}, call_id=f"c{len(self.calls)}")
            elif said.endswith("?"):
                output = function_call("recall", {"query": said}, call_id=f"c{len(self.calls)}")
            self.enqueue(ModelStep(output=[output]))
            return await super().get_response(*args, **options)

    agent = Agent(name="clerk", model=Clerk(), tools=memory.tools("ada"))
    config = RunConfig(compaction=Compaction(context_tokens=8_000), journal="off")
    result: Any = None
    for turn in range(1, 401):
        said = f"Tell me more of matter {turn}. " + "word " * 20
        said = "My daughter is called Ida." if turn == 1 else said
        said = "What is my daughter called?" if turn == 400 else said
        result = await Runner.run(agent, said, session=session, run_config=config)
    assert "My daughter is called Ida." in result.final_output
    memory.close()


async def test_a_providers_vectors_are_asked_for_by_its_client():
    class Client:
        def __init__(self) -> None:
            self.embeddings = self
            self.asked: list[Any] = []

        async def create(self, **asked: Any) -> Any:
            self.asked.append(asked)
            data = [type("E", (), {"embedding": [float(len(t)), 1.0]})() for t in asked["input"]]
            return type("A", (), {"data": data})()

    client: Any = Client()
    memory = Memory(embedder=OpenAIEmbedder("m", dimensions=2, client=client))
    await memory.remember("tea", user="ada")
    assert [each.text for each in await memory.recall("tea", user="ada")] == ["tea"]
    assert client.asked[0] == {"model": "m", "input": ["tea"], "dimensions": 2}
    memory.close()


@pytest.mark.parametrize(
    ("query", "limit"), [(None, 5), (7, 5), ("x", 1.5), ("x", -1), ("x", None)]
)
async def test_what_cannot_be_looked_up_is_refused(memory: Memory, query: Any, limit: Any):
    with pytest.raises(UserError, match="must be a"):
        await memory.recall(query, user="ada", limit=limit)
    with pytest.raises(UserError, match="must be a text"):
        await memory.remember(query if query != "x" else None, user="ada")
