"""The provider's faults: each can be reached, and the important ones are what they say."""

import asyncio
import json

import openai
import pytest

from outlast.core.errors import UserError
from outlast.testing import ScriptedModel, assistant_message
from outlast.testing.provider import FAULTS, ProviderSettings, ScriptedProvider, fault, faults_for
from outlast.testing.provider.faults import _table  # what the table is made of

CANARY = "sk-canary-here"
MESSAGES = [{"role": "user", "content": "Hello?"}]
SEEN_MAX = 300_000
"""Bytes of an answer that are looked at: enough to tell faults apart, also the huge ones."""
LONGEST_S = 1
FAST = ProviderSettings(drip_s=0.02)
ADD = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
SILENT = {"hang_headers", "gzip_bomb"}
"""Nothing comes of these, or nothing soon: the bomb is packed when it is first asked for."""


def body_of(api, model, *, stream, told=()):
    asked = {"model": model, "stream": stream, "tools": [ADD]}
    if api == "chat":
        chat_tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
        return {**asked, "tools": [chat_tool], "messages": [*MESSAGES, *told]}
    return {**asked, "input": [*MESSAGES, *told]}


async def answer(provider, path, body, wait_s=0.5):
    """The bytes of an answer, until it ends, stalls, or is long enough to be told apart."""
    host, port = provider.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(raw)}"
    writer.write(f"{head}\r\n\r\n".encode() + raw)
    try:
        async with asyncio.timeout(LONGEST_S):
            return await seen_of(reader, wait_s)
    except TimeoutError:
        return b"", "endless"
    finally:
        writer.transport.abort()


async def seen_of(reader, wait_s):
    seen = b""
    while len(seen) < SEEN_MAX:
        try:
            part = await asyncio.wait_for(reader.read(2**16), wait_s)
        except TimeoutError:
            return seen, "stalled"
        except ConnectionError:
            return seen, "reset"
        if not part:
            return seen, "closed"
        seen += part
    return seen, "long"


def test_there_are_enough_of_them():
    assert min(len(faults_for("chat", stream=stream)) for stream in (False, True)) >= 50
    assert min(len(faults_for("responses", stream=stream)) for stream in (False, True)) >= 35


def test_each_says_in_a_line_what_a_client_sees():
    abouts = [(each.name, each.about) for each in FAULTS.values()]
    assert [name for name, about in abouts if not about or "\n" in about or len(about) > 90] == []


def test_a_name_is_of_one_kind():
    # A name that two groups of different kinds use would hide one of them.
    for each in _table().values():
        assert (each.kind == "stream") is each.name.startswith("s_"), each.name


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_every_fault_is_reached(api, stream):
    async with ScriptedProvider(canary=CANARY, settings=FAST) as provider:
        good, _ = await answer(provider, PATHS[api], body_of(api, "fault:x_good", stream=stream))
        assert b"unknown_fault" in good  # A wrong name is no fault at all.
        seen = {}

        async def look(name):
            model = f"fault:{name}"
            seen[name] = await answer(provider, PATHS[api], body_of(api, model, stream=stream))

        names = [each.name for each in faults_for(api, stream=stream)]
        for start in range(0, len(names), 16):
            await asyncio.gather(*map(look, names[start : start + 16]))
        said = await provider.client().models.list()  # It has survived them all.
    assert said.data
    assert [name for name, (raw, _) in seen.items() if b"unknown_fault" in raw] == []
    assert {name for name, (raw, how) in seen.items() if not raw and how == "stalled"} <= SILENT
    statuses = {name: raw[9:12].decode() for name, (raw, _) in seen.items()
                if name.startswith("http_") and not name.endswith("_html")}  # fmt: skip
    assert {name: status for name, status in statuses.items() if status not in name} == {}
    assert len(statuses) > 20
    stalls = {name for name, (_, how) in seen.items() if how == "stalled"}
    assert {"hang_headers", "hang_body", "hang_before_body"} <= stalls


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_error_bodies_hold_the_canary(api):
    async with ScriptedProvider(canary=CANARY) as provider:
        for name in ("http_401", "http_500_html", "error_string", "error_200", "html_200"):
            body = body_of(api, f"fault:{name}", stream=False)
            raw, _ = await answer(provider, PATHS[api], body)
            assert CANARY.encode() in raw, name
        raw, _ = await answer(
            provider, PATHS[api], body_of(api, "fault:s_error_event", stream=True)
        )
    assert CANARY.encode() in raw


# --- How a fault is chosen. --------------------------------------------------------------


async def test_a_fault_can_be_a_step():
    async with ScriptedProvider([fault("http_503"), [assistant_message("Good.")]]) as provider:
        client = provider.client(max_retries=1)
        response = await client.responses.create(model="m", input="?")
    assert response.output_text == "Good."
    assert len(provider.requests) == 2


async def test_a_fault_may_last_for_some_requests_only():
    async with ScriptedProvider([[assistant_message("Good.")]]) as provider:
        client = provider.client(max_retries=0)
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                await client.responses.create(model="fault:http_500*2", input="?")
        response = await client.responses.create(model="fault:http_500*2", input="?")
    assert response.output_text == "Good."


async def test_a_header_chooses_a_fault_also_for_a_poll():
    async with ScriptedProvider([[assistant_message("Done.")]]) as provider:
        client = provider.client(max_retries=0)
        response = await client.responses.create(model="m", input="?", background=True)
        with pytest.raises(openai.APIConnectionError):
            await client.responses.retrieve(
                response.id, extra_headers={"x-outlast-fault": "rst_mid"}
            )
        assert (await client.responses.retrieve(response.id)).status == "in_progress"


async def test_a_header_chooses_a_fault_of_the_handshake():
    websockets = pytest.importorskip("websockets")
    async with ScriptedProvider([]) as provider:
        url = f"{provider.websocket_base_url}/responses"
        with pytest.raises(websockets.InvalidStatus, match="401"):
            await websockets.connect(url, additional_headers={"x-outlast-fault": "http_401"})


async def test_a_fault_that_there_is_not_is_named_with_those_that_come_close():
    with pytest.raises(UserError, match=r"no fault 'http_42'.*http_42"):
        fault("http_42")
    async with ScriptedProvider() as provider:
        with pytest.raises(openai.BadRequestError, match=r"no fault 'rst_midd'.*rst_mid"):
            await provider.client().responses.create(model="fault:rst_midd", input="?")


async def test_a_fault_of_streams_is_refused_for_a_plain_request():
    async with ScriptedProvider() as provider:
        with pytest.raises(openai.BadRequestError, match="'s_fin' is for streamed requests"):
            await provider.client().responses.create(model="fault:s_fin", input="?")


async def test_in_the_same_process_a_fault_is_raised_as_it_is():
    step = fault("rst_mid")
    model = ScriptedModel([step])
    assert model.remaining_steps == 1
    assert "reset in the middle of the body" in str(step)


# --- What some of them are. --------------------------------------------------------------


@pytest.mark.parametrize("name", ["redirect", "redirect_302", "redirect_308"])
async def test_a_redirect_leads_to_a_server_that_notes_it(name):
    async with ScriptedProvider() as provider:
        client = provider.client(max_retries=0)
        await client.responses.with_raw_response.create(model=f"fault:{name}", input="secret")
        assert len(provider.elsewhere.requests) == 1  # This client follows.
    assert provider.elsewhere.requests[0].path == "/v1/responses"


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("rst_before", "reset"),
        ("rst_mid", "reset"),
        ("fin_before", "closed"),
        ("fin_mid", "closed"),
        ("hang_headers", "stalled"),
        ("hang_end", "stalled"),
        ("bad_status_line", "closed"),
    ],
)
async def test_a_connection_ends_as_the_name_says(name, end):
    async with ScriptedProvider() as provider:
        _, how = await answer(
            provider, PATHS["chat"], body_of("chat", f"fault:{name}", stream=False)
        )
    assert how == end


@pytest.mark.parametrize(("name", "end"), [("s_rst", "reset"), ("s_fin_cut", "closed"),
                                           ("s_fin", "closed"), ("s_hang", "stalled")])  # fmt: skip
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_stream_ends_as_the_name_says(api, name, end):
    async with ScriptedProvider() as provider:
        body = body_of(api, f"fault:{name}", stream=True)
        raw, how = await answer(provider, PATHS[api], body)
    assert how == end
    assert b'"hello' in raw
    assert b"[DONE]" not in raw
    assert b"response.completed" not in raw
    assert raw.endswith(b"0\r\n\r\n") is (name == "s_fin")  # Only that one ends by the rules.


async def test_a_slow_answer_comes_byte_by_byte():
    async with ScriptedProvider(settings=ProviderSettings(drip_s=30)) as provider:
        raw, how = await answer(
            provider, PATHS["chat"], body_of("chat", "fault:drip", stream=False)
        )
    assert how == "stalled"
    assert raw.partition(b"\r\n\r\n")[2] == b"{"


async def test_comments_are_all_that_comes():
    async with ScriptedProvider(settings=FAST) as provider:
        body = body_of("responses", "fault:s_comments_only", stream=True)
        _, how = await answer(provider, PATHS["responses"], body)
    assert how == "endless"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_bad_call_is_followed_by_recovery(api):
    what = {"name": "add", "arguments": "{}"}
    done = [
        {
            "role": "assistant",
            "tool_calls": [{"id": "call_1", "type": "function", "function": what}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    ]
    if api == "responses":
        done = [
            {"type": "function_call", "call_id": "call_1", **what},
            {"type": "function_call_output", "call_id": "call_1", "output": "3"},
        ]
    async with ScriptedProvider() as provider:
        asked = [body_of(api, "fault:unknown_tool", stream=False, told=told) for told in ([], done)]
        first, second = [(await answer(provider, PATHS[api], body))[0] for body in asked]
        looped = body_of(api, "fault:loop_tool", stream=False, told=done)
        third, _ = await answer(provider, PATHS[api], looped)
    assert b"no_such_tool" in first
    assert b"recovered" in second
    assert b'"add"' in third
    assert b"recovered" not in third


async def test_a_call_names_a_tool_that_is_offered():
    async with ScriptedProvider() as provider:
        response = await provider.client().responses.create(
            model="fault:bad_args", input="?", tools=[{**ADD, "name": "refund"}]
        )
    assert response.output[0].name == "refund"
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(response.output[0].arguments)


async def test_two_thousand_calls_come_in_one_reply():
    async with ScriptedProvider() as provider:
        response = await provider.client().responses.create(model="fault:many_tools", input="?")
    assert len({item.call_id for item in response.output}) == 2_000


async def test_a_cut_reply_says_why_in_both_apis():
    async with ScriptedProvider() as provider:
        client = provider.client()
        chat = await client.chat.completions.create(model="fault:length_stop", messages=MESSAGES)
        response = await client.responses.create(model="fault:content_filter", input="?")
        stream = await client.responses.create(model="fault:length_stop", input="?", stream=True)
        events = [event async for event in stream]
    assert chat.choices[0].finish_reason == "length"
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "content_filter"
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"


async def test_harmless_ones_are_good_answers():
    names = [each.name for each in faults_for("chat", stream=True) if each.harmless]
    async with ScriptedProvider() as provider:
        for name in names:
            body = body_of("chat", f"fault:{name}", stream=True)
            raw, _ = await answer(provider, PATHS["chat"], body)
            assert b"[DONE]" in raw.replace(b"\r\n", b"") or name == "s_bytewise", name
    assert "s_crlf" in names


async def test_faults_reach_a_websocket():
    websockets = pytest.importorskip("websockets")

    async def first(provider, name):
        async with websockets.connect(f"{provider.websocket_base_url}/responses") as socket:
            asked = {"type": "response.create", "model": f"fault:{name}", "input": "?"}
            await socket.send(json.dumps(asked))
            return [frame async for frame in socket]

    async with ScriptedProvider(canary=CANARY) as provider:
        for name in ("rst_before", "s_rst"):
            with pytest.raises(websockets.ConnectionClosedError):
                await first(provider, name)
        async with websockets.connect(f"{provider.websocket_base_url}/responses") as socket:
            frames = []
            for name in ("http_429_retry_after", "s_failed", "s_error_event"):
                asked = {"type": "response.create", "model": f"fault:{name}", "input": "?"}
                await socket.send(json.dumps(asked))
                while (frame := json.loads(await socket.recv()))["type"].startswith(
                    ("response.created", "response.in", "response.out")
                ):
                    pass
                frames.append(frame)
    assert [frame["type"] for frame in frames] == ["error", "response.failed", "error"]
    assert frames[0]["status"] == 429
    assert all(CANARY in json.dumps(frame) for frame in frames)
