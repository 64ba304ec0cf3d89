"""A model whose provider runs agents of its own: one open response over the turns of a run."""

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from outlast import Agent, RunConfig, Runner, ToolContext, UserError, function_tool
from outlast.extras.hosted_multi_agent import (
    HostedMultiAgentConfig,
    OpenAIHostedMultiAgentModel,
    get_hosted_agent_metadata,
)

CALL = {
    "id": "fc", "type": "function_call", "call_id": "c", "name": "look", "arguments": "{}",
    "status": "completed", "agent": {"agent_name": "/root/clerk"},
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "m", "type": "message", "role": "assistant", "status": "completed",
    "agent": {"agent_name": "/root"},
    "content": [{"type": "output_text", "text": "done", "annotations": []}],
}  # fmt: skip
ASIDE: dict[str, Any] = {**ANSWER, "id": "a", "agent": {"agent_name": "/root/clerk"}}


def event(kind: str, **fields: Any) -> Any:
    return SimpleNamespace(type=f"response.{kind}", sequence_number=1, **fields)


def item(found: Any) -> Any:
    return event("output_item.done", output_index=0, item=found)


def of_response(kind: str, *output: Any, name: str = "r1") -> Any:
    return event(kind, response=SimpleNamespace(id=name, output=[*output], usage=None))


class Socket:
    """A socket, its manager, and the client that opens it; it plays events."""

    def __init__(self, *events: Any) -> None:
        self.events = deque(events)
        self.sent: list[Any] = []
        self.is_closed = False
        self.beta = SimpleNamespace(responses=SimpleNamespace(connect=self.connect))
        self.options: Any = None

    async def enter(self) -> Any:
        return self

    def connect(self, **options: Any) -> Any:
        self.options = options
        return self

    async def __aexit__(self, *error: object) -> None:
        self.is_closed = True

    async def send(self, frame: Any) -> None:
        self.sent.append(frame)

    async def recv(self) -> Any:
        return self.events.popleft()


def model(socket: Any) -> OpenAIHostedMultiAgentModel:
    return OpenAIHostedMultiAgentModel(model="m", openai_client=socket)


async def run(made: Any, tools: list[Any], place: str = "memory") -> Any:
    agent = Agent(name="a", model=made, tools=tools)
    return await Runner.run(agent, "hi", run_id="r", run_config=RunConfig(journal=place))


async def test_the_output_of_a_tool_goes_into_the_response_that_waits_for_it():
    callers: list[Any] = []

    @function_tool
    def look(context: ToolContext[Any]) -> str:
        callers.append(get_hosted_agent_metadata(context))
        return "seen"

    socket = Socket(
        of_response("created"), item(CALL), event("inject.created"), item(ASIDE), item(ANSWER),
        of_response("completed", CALL, ASIDE, ANSWER),
    )  # fmt: skip
    result = await run(model(socket), [look])
    assert result.final_output == "done"
    assert [each.agent_name for each in callers] == ["/root/clerk"]
    assert [frame["type"] for frame in socket.sent] == ["response.create", "response.inject"]
    assert socket.sent[0]["multi_agent"] == {"enabled": True}
    output = {"type": "function_call_output", "call_id": "c", "output": "seen"}
    assert socket.sent[1] == {"type": "response.inject", "response_id": "r1", "input": [output]}
    assert [each.type for each in result.new_items][-1] == "message_output_item"
    assert len(result.new_items) == 3
    assert socket.is_closed


async def test_a_run_that_goes_on_without_the_socket_sends_the_conversation_again(tmp_path: Any):
    place = str(tmp_path / "j.db")

    @function_tool(needs_approval=True)
    def look() -> str:
        return "seen"

    first = model(Socket(of_response("created"), item(CALL)))
    waiting = await run(first, [look], place)
    state = waiting.to_state()
    state.approve(waiting.interruptions[0])
    await first.close()
    socket = Socket(
        of_response("created", name="r2"), item(ANSWER), of_response("completed", ANSWER)
    )
    agent = Agent(name="a", model=model(socket), tools=[look])
    result = await Runner.run(agent, state, run_config=RunConfig(journal=place))
    assert result.final_output == "done"
    assert [frame["type"] for frame in socket.sent] == ["response.create"]
    kinds = [each.get("type") for each in socket.sent[0]["input"]]
    assert kinds[-2:] == ["function_call", "function_call_output"]


async def test_what_the_provider_does_itself_is_refused():
    agent = Agent(name="a", model=model(Socket()), handoffs=[Agent(name="b")])
    with pytest.raises(UserError, match="handoffs"):
        await Runner.run(agent, "hi", run_config=RunConfig(journal="memory"))
    with pytest.raises(ValueError, match="positive integer"):
        HostedMultiAgentConfig(max_concurrent_subagents=0)
