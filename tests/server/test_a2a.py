"""Agents for other agents: the protocol's own client, over both bindings and both versions."""

from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.helpers.proto_helpers import new_data_part, new_text_part
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import A2AError, TaskNotCancelableError, TaskNotFoundError
from tests.server.conftest import PATIENCE_S, desk_of, server_of

from outlast import Agent, GuardrailFunctionOutput, input_guardrail
from outlast.server import App, Caller
from outlast.testing import ScriptedModel, assistant_message

BINDINGS = [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3")]
each_binding = pytest.mark.parametrize(("binding", "version"), BINDINGS)
STATES = a2a.TaskState


@asynccontextmanager
async def client_of(app: App, binding: str = "JSONRPC", version: str = "1.0", **settings: Any):
    headers = {"Authorization": f"Bearer {app.token}"}
    async with (
        server_of(app) as url,
        httpx.AsyncClient(headers=headers, timeout=PATIENCE_S) as http,
    ):
        card = await A2ACardResolver(http, url).get_agent_card()
        chosen = [
            each
            for each in card.supported_interfaces
            if (each.protocol_binding, each.protocol_version) == (binding, version)
        ]
        assert len(chosen) == 1
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(chosen)
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding], **settings)
        yield ClientFactory(config).create(card)


def said(text: str = "", *, data: Any = None, **fields: Any) -> a2a.SendMessageRequest:
    part = new_text_part(text) if data is None else new_data_part(data)
    message = a2a.Message(role=a2a.Role.ROLE_USER, parts=[part], **{"message_id": "m1", **fields})
    return a2a.SendMessageRequest(message=message)


async def answers(stream) -> list[Any]:
    return [getattr(each, each.WhichOneof("payload")) async for each in stream]


@each_binding
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_task_waits_for_a_person_is_decided_by_a_message_and_completes(
    binding, version, streaming
):
    app = App(agents=[desk_of()], expose={"a2a"})
    async with client_of(app, binding, version, streaming=streaming) as client:
        first = await answers(client.send_message(said("Refund order A-1007", context_id="c-88")))
        task = first[0]
        assert first[-1].status.state == STATES.TASK_STATE_INPUT_REQUIRED
        call = first[-1].status.message.parts[1].data.struct_value["approvals"][0]["key"]
        decided = said(data={"approvals": {call: True}}, message_id="m2", task_id=task.id)
        last = await answers(client.send_message(decided))
        assert last[-1].status.state == STATES.TASK_STATE_COMPLETED
        done = await client.get_task(a2a.GetTaskRequest(id=task.id))
    assert done.context_id == "c-88"
    assert "A-1007 is refunded" in done.artifacts[0].parts[0].text
    assert done.history[0].role == a2a.Role.ROLE_USER
    if streaming:
        assert any(getattr(each, "artifact", None) == done.artifacts[0] for each in last)


@each_binding
async def test_the_same_message_again_is_the_same_task(binding, version):
    model = ScriptedModel([[assistant_message("Hello.")]])
    app = App(agents=[Agent(name="Desk", model=model)], expose={"a2a"})
    async with client_of(app, binding, version, streaming=False) as client:
        tasks = [(await answers(client.send_message(said("Hi"))))[0] for _ in range(2)]
    assert tasks[0] == tasks[1]
    assert len(model.calls) == 1


@each_binding
async def test_a_task_is_cancelled_once_and_one_that_is_not_there_is_not_found(binding, version):
    app = App(agents=[desk_of()], expose={"a2a"})
    async with client_of(app, binding, version, streaming=False) as client:
        task = (await answers(client.send_message(said("Refund order A-1007"))))[0]
        gone = await client.cancel_task(a2a.CancelTaskRequest(id=task.id))
        assert gone.status.state == STATES.TASK_STATE_CANCELED
        with pytest.raises(TaskNotCancelableError if version == "1.0" else A2AError):
            await client.cancel_task(a2a.CancelTaskRequest(id=task.id))
        with pytest.raises(TaskNotFoundError if version == "1.0" else A2AError):
            await client.get_task(a2a.GetTaskRequest(id="nobody"))


async def test_whoever_subscribes_hears_how_a_task_goes_on():
    app = App(agents=[desk_of()], expose={"a2a"})
    async with client_of(app) as client:
        task = (await answers(client.send_message(said("Refund order A-1007"))))[0]
        stream = client.subscribe(a2a.SubscribeToTaskRequest(id=task.id))
        first = await anext(stream)
        assert first.task.status.state == STATES.TASK_STATE_INPUT_REQUIRED
        data = first.task.status.message.parts[1].data.struct_value
        call = data["approvals"][0]["key"]
        await answers(
            client.send_message(
                said(data={"approvals": {call: False}}, message_id="m2", task_id=task.id)
            )
        )
        states = [
            each.status_update.status.state
            async for each in stream
            if each.HasField("status_update")
        ]
    assert states[-1] == STATES.TASK_STATE_COMPLETED


async def test_tasks_are_listed_the_newest_first_a_page_at_a_time():
    app = App(agents=[desk_of()], expose={"a2a"})
    async with client_of(app, streaming=False) as client:
        for number in range(3):
            message = said("Refund A-1", message_id=f"m{number}", context_id=f"c{number}")
            await answers(client.send_message(message))
        pages, token = [], ""
        while not pages or token:
            page = await client.list_tasks(a2a.ListTasksRequest(page_size=2, page_token=token))
            pages.append([task.context_id for task in page.tasks])
            token = page.next_page_token
        one = await client.list_tasks(a2a.ListTasksRequest(context_id="c1"))
    assert pages == [["c2", "c1"], ["c0"]]
    assert [task.context_id for task in one.tasks] == ["c1"]


async def test_what_an_input_guardrail_refuses_is_rejected():
    @input_guardrail
    def never(context, agent, said):
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

    app = App(agents=[desk_of(input_guardrails=[never])], expose={"a2a"})
    async with client_of(app, streaming=False) as client:
        task = (await answers(client.send_message(said("Refund order A-1007"))))[0]
    assert task.status.state == STATES.TASK_STATE_REJECTED


async def test_a_key_is_needed_for_all_but_the_card_and_scopes_hold_on_both_bindings():
    def auth(request):
        scopes = request.headers.get("x-scopes")
        return None if scopes is None else Caller("u", scopes=frozenset(scopes.split(",")))

    app = App(agents=[desk_of()], auth=auth, expose={"a2a"})
    body = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "Hi"}]}}
    rpc = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": body}
    async with (
        server_of(app) as url,
        httpx2.AsyncClient(
            base_url=url, headers={"A2A-Version": "1.0"}, timeout=PATIENCE_S
        ) as http,
    ):
        card = await http.get("/a2a/desk/.well-known/agent-card.json")
        again = await http.get(
            "/.well-known/agent-card.json", headers={"If-None-Match": card.headers["etag"]}
        )
        assert (card.status_code, again.status_code) == (200, 304)
        reading = {"X-Scopes": "runs:read"}
        for place, sent in (("/a2a/desk/message:send", body), ("/a2a/desk", rpc)):
            assert (await http.post(place, json=sent)).status_code == 401
        assert (
            await http.post("/a2a/desk/message:send", json=body, headers=reading)
        ).status_code == 403
        refused = (await http.post("/a2a/desk", json=rpc, headers=reading)).json()
        assert "runs:write" in refused["error"]["message"]
        nobody = await http.get("/a2a/desk/tasks/x", headers=reading)
        assert nobody.status_code == 404
        assert nobody.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"
        assert (await http.get("/a2a/none/tasks/x", headers=reading)).status_code == 404
