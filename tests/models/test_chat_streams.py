"""A stream of Chat Completions chunks as events: golden sequences, any splitting, and real streams."""

import asyncio
import itertools

import openai
import pytest
from hypothesis import given, settings, strategies as st
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response

from outlast import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, UserError
from outlast.core.errors import (
    AgentsException,
    ModelBehaviorError,
    ModelReplyMalformed,
    ModelRequestError,
    ModelStreamTruncated,
)
from outlast.definitions.model import ModelTracing
from outlast.models.chat_stream import ChatCmplStreamHandler
from outlast.testing import assistant_message, function_call
from outlast.testing.provider import ScriptedProvider, fault

WITHHELD = "Response withheld by the provider's content filter."


# --- Notation. ---------------------------------------------------------------------------


def d(finish=None, index=0, **delta):
    """A chunk with one choice."""
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def tc(arguments=None, index=0, id=None, name=None, **more):
    """A chunk with a piece of a tool call."""
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    piece = {"index": index, "function": function, **({"id": id} if id is not None else {}), **more}
    return d(tool_calls=[piece])


STOP, CALLS = d("stop"), d("tool_calls")
USED = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": None, "total_tokens": 5}}


def chunk(given):
    about = {"id": "k", "created": 1, "model": "m", "object": "chat.completion.chunk"}
    return ChatCompletionChunk.construct(**{**about, **given})


async def events_of(*chunks, buffer=False, **options):
    async def stream():
        for each in chunks:
            yield chunk(each)

    response = Response(
        id="r", created_at=0, model="m", object="response", output=[], tool_choice="auto",
        tools=[], parallel_tool_calls=False,
    )  # fmt: skip
    source = ChatCmplStreamHandler.buffer_tool_call_stream(stream()) if buffer else stream()
    handled = ChatCmplStreamHandler.handle_stream(response, source, "m", **options)
    return [event async for event in handled]


def line(event):
    """An event as a line: its kind, its place, and what it brings."""
    kind = event.type.removeprefix("response.")
    if kind in ("created", "completed"):
        return kind + "".join(f" {whole(item)}" for item in event.response.output)
    place = [event.output_index, getattr(event, "content_index", None)]
    place += [getattr(event, "summary_index", None)]
    at = "/".join(str(each) for each in place if each is not None)
    brought = getattr(event, "delta", None) or getattr(event, "text", None)
    if hasattr(event, "item"):
        brought = whole(event.item)
    if hasattr(event, "part"):
        brought = whole_part(event.part)
    return f"{kind} [{at}] {brought}"


def whole(item):
    if item.type == "message":
        return f"message({', '.join(map(whole_part, item.content))})"
    if item.type == "function_call":
        return f"{item.name}#{item.call_id}({item.arguments})"
    said = [part.text for part in item.summary]
    thought = [part.text for part in item.content or ()]
    return f"reasoning({said}, {thought})"


def whole_part(part):
    kind = {"output_text": "text", "refusal": "refusal", "summary_text": "summary"}[part.type]
    return f"{kind}:{part.refusal if part.type == 'refusal' else part.text}"


def lines(text):
    return [each.strip() for each in text.strip().splitlines()]


# --- Golden sequences. -------------------------------------------------------------------

SEQUENCES = {
    "a text": (
        [d(content="He"), d(content="llo"), STOP],
        """
        created
        output_item.added [0] message()
        content_part.added [0/0] text:
        output_text.delta [0/0] He
        output_text.delta [0/0] llo
        content_part.done [0/0] text:Hello
        output_item.done [0] message(text:Hello)
        completed message(text:Hello)
        """,
    ),
    "a text and two calls": (
        [d(content="t"), tc("{}", 0, "a", "f"), tc("", 1, "b", "g"), tc("{}", 1), CALLS],
        """
        created
        output_item.added [0] message()
        content_part.added [0/0] text:
        output_text.delta [0/0] t
        output_item.added [1] f#a()
        function_call_arguments.delta [1] {}
        output_item.added [2] g#b()
        function_call_arguments.delta [2] {}
        content_part.done [0/0] text:t
        output_item.done [1] f#a({})
        output_item.done [2] g#b({})
        output_item.done [0] message(text:t)
        completed message(text:t) f#a({}) g#b({})
        """,
    ),
    "a refusal": (
        [d(refusal="no"), d(refusal="pe"), STOP],
        """
        created
        output_item.added [0] message()
        content_part.added [0/0] refusal:
        refusal.delta [0/0] no
        refusal.delta [0/0] pe
        content_part.done [0/0] refusal:nope
        output_item.done [0] message(refusal:nope)
        completed message(refusal:nope)
        """,
    ),
    "a text and a refusal": (
        [d(content="t"), d(refusal="no"), STOP],
        """
        created
        output_item.added [0] message()
        content_part.added [0/0] text:
        output_text.delta [0/0] t
        content_part.added [0/1] refusal:
        refusal.delta [0/1] no
        content_part.done [0/0] text:t
        content_part.done [0/1] refusal:no
        output_item.done [0] message(text:t, refusal:no)
        completed message(text:t, refusal:no)
        """,
    ),
    "a summary of thoughts and a text": (
        [d(reasoning_content="wh"), d(reasoning_content="y"), d(content="t"), STOP],
        """
        created
        output_item.added [0] reasoning([], [])
        reasoning_summary_part.added [0/0] summary:
        reasoning_summary_text.delta [0/0] wh
        reasoning_summary_text.delta [0/0] y
        reasoning_summary_part.done [0/0] summary:why
        output_item.added [1] message()
        content_part.added [1/0] text:
        output_text.delta [1/0] t
        output_item.done [0] reasoning(['why'], [])
        content_part.done [1/0] text:t
        output_item.done [1] message(text:t)
        completed reasoning(['why'], []) message(text:t)
        """,
    ),
    "thoughts between texts": (
        [d(reasoning_content="a"), d(content="t"), d(reasoning_content="b"), STOP],
        """
        created
        output_item.added [0] reasoning([], [])
        reasoning_summary_part.added [0/0] summary:
        reasoning_summary_text.delta [0/0] a
        reasoning_summary_part.done [0/0] summary:a
        output_item.added [1] message()
        content_part.added [1/0] text:
        output_text.delta [1/0] t
        reasoning_summary_part.added [0/1] summary:
        reasoning_summary_text.delta [0/1] b
        reasoning_summary_part.done [0/1] summary:b
        output_item.done [0] reasoning(['a', 'b'], [])
        content_part.done [1/0] text:t
        output_item.done [1] message(text:t)
        completed reasoning(['a', 'b'], []) message(text:t)
        """,
    ),
    "thoughts after a text have a place of their own": (
        [d(content="t"), d(reasoning_content="a"), STOP],
        """
        created
        output_item.added [0] message()
        content_part.added [0/0] text:
        output_text.delta [0/0] t
        output_item.added [1] reasoning([], [])
        reasoning_summary_part.added [1/0] summary:
        reasoning_summary_text.delta [1/0] a
        reasoning_summary_part.done [1/0] summary:a
        output_item.done [1] reasoning(['a'], [])
        content_part.done [0/0] text:t
        output_item.done [0] message(text:t)
        completed message(text:t) reasoning(['a'], [])
        """,
    ),
    "plain thoughts and a call": (
        [d(reasoning="hm"), tc("{}", 0, "a", "f"), CALLS],
        """
        created
        output_item.added [0] reasoning([], [''])
        reasoning_text.delta [0/0] hm
        output_item.added [1] f#a()
        function_call_arguments.delta [1] {}
        reasoning_text.done [0/0] hm
        output_item.done [0] reasoning([], ['hm'])
        output_item.done [1] f#a({})
        completed reasoning([], ['hm']) f#a({})
        """,
    ),
    "Claude's signed thinking": (
        [
            d(thinking_blocks=[{"type": "thinking", "thinking": "hid", "signature": ""}]),
            d(thinking_blocks=[{"thinking": "den", "signature": "S"}]),
            STOP,
        ],
        """
        created
        output_item.added [0] reasoning([], [])
        reasoning_text.done [0/0] hidden
        output_item.done [0] reasoning([], ['hidden'])
        completed reasoning([], ['hidden'])
        """,
    ),
    "a call before the text": (
        [tc("{}", 0, "a", "f"), d(content="t"), CALLS],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {}
        output_item.added [1] message()
        content_part.added [1/0] text:
        output_text.delta [1/0] t
        content_part.done [1/0] text:t
        output_item.done [0] f#a({})
        output_item.done [1] message(text:t)
        completed f#a({}) message(text:t)
        """,
    ),
    "an answer that the filter took": (
        [d("content_filter")],
        f"""
        created
        output_item.added [0] message()
        content_part.added [0/0] refusal:
        refusal.delta [0/0] {WITHHELD}
        content_part.done [0/0] refusal:{WITHHELD}
        output_item.done [0] message(refusal:{WITHHELD})
        completed message(refusal:{WITHHELD})
        """,
    ),
    "a name that comes after the arguments have begun": (
        [tc('{"a"', 0, "a"), tc(":1}", 0, name="f"), CALLS],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {"a":1}
        output_item.done [0] f#a({"a":1})
        completed f#a({"a":1})
        """,
    ),
    "a name in its own chunk after the arguments": (
        [tc('{"a"', 0, "a"), tc(None, 0, name="f"), tc(":1}", 0), CALLS],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {"a"
        function_call_arguments.delta [0] :1}
        output_item.done [0] f#a({"a":1})
        completed f#a({"a":1})
        """,
    ),
    "a name and an id in every chunk": (
        [tc("", 0, "a", "f"), tc('{"a"', 0, "a", "f"), tc(":1}", 0, "", ""), CALLS],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {"a"
        function_call_arguments.delta [0] :1}
        output_item.done [0] f#a({"a":1})
        completed f#a({"a":1})
        """,
    ),
    "a made-up id in every chunk": (
        [tc("", 0, "a", "f"), tc("{}", 0, "z"), CALLS],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {}
        output_item.done [0] f#a({})
        completed f#a({})
        """,
    ),
    "an index that is used again": (
        [tc('{"n":1}', 0, "a", "f"), tc('{"n":2}', 0, "b", "g"), CALLS],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {"n":1}
        output_item.added [1] g#b()
        function_call_arguments.delta [1] {"n":2}
        output_item.done [0] f#a({"n":1})
        output_item.done [1] g#b({"n":2})
        completed f#a({"n":1}) g#b({"n":2})
        """,
    ),
    "a call without id keeps its place before the next one": (
        [tc("{}", 0, name="f"), tc("{}", 1, "b", "g"), CALLS],
        """
        created
        output_item.added [1] g#b()
        function_call_arguments.delta [1] {}
        output_item.added [0] f#()
        function_call_arguments.delta [0] {}
        output_item.done [0] f#({})
        output_item.done [1] g#b({})
        completed f#({}) g#b({})
        """,
    ),
    "arguments that are JSON": (
        [d(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"n": 1}}}])],
        """
        created
        output_item.added [0] f#a()
        function_call_arguments.delta [0] {"n": 1}
        output_item.done [0] f#a({"n": 1})
        completed f#a({"n": 1})
        """,
    ),
    "text in parts": (
        [d(content=[{"type": "text", "text": "t"}]), STOP],
        """
        created
        output_item.added [0] message()
        content_part.added [0/0] text:
        output_text.delta [0/0] t
        content_part.done [0/0] text:t
        output_item.done [0] message(text:t)
        completed message(text:t)
        """,
    ),
    "nothing": ([d(role="assistant", content=""), STOP], "created\ncompleted"),
    "a custom call is left out": (
        [d(tool_calls=[{"index": 0, "id": "a", "type": "custom"}]), tc("x", 0), CALLS],
        "created\ncompleted",
    ),
}


@pytest.mark.parametrize(("chunks", "expected"), SEQUENCES.values(), ids=SEQUENCES)
async def test_chunks_become_events(chunks, expected):
    events = await events_of(*chunks)
    assert [line(event) for event in events] == lines(expected)
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_buffered_calls_come_whole_after_the_text():
    chunks = [tc('{"a"', 0, "a", "f"), d(content="t"), tc(":1}", 0), tc("{}", 1, "b", "g"), CALLS]
    assert [line(event) for event in await events_of(*chunks, buffer=True)] == lines("""
        created
        output_item.added [0] message()
        content_part.added [0/0] text:
        output_text.delta [0/0] t
        output_item.added [1] f#a()
        function_call_arguments.delta [1] {"a":1}
        output_item.added [2] g#b()
        function_call_arguments.delta [2] {}
        content_part.done [0/0] text:t
        output_item.done [1] f#a({"a":1})
        output_item.done [2] g#b({})
        output_item.done [0] message(text:t)
        completed message(text:t) f#a({"a":1}) g#b({})
    """)


# --- What an answer says besides. --------------------------------------------------------


async def completed(*chunks, **options):
    return (await events_of(*chunks, **options))[-1].response


async def test_items_say_where_they_come_from():
    response = await completed(d(reasoning="hm"), d(content="t"), tc("{}", 0, "a", "f"), CALLS)
    origin = {"model": "m", "response_id": "k"}
    marked = {**origin, "_chat_completions_reasoning_field": "reasoning"}
    assert [item.provider_data for item in response.output] == [marked, origin, origin]


async def test_usage_counts_null_as_nothing():
    response = await completed(d(content="t"), STOP, USED, preserve_raw_usage=True)
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (3, 0, 5)
    assert response._agents_sdk_raw_usage == USED["usage"]


async def test_no_usage_stays_unknown():
    assert (await completed(d(content="t"), STOP)).usage is None


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([d(content="t"), d("length")], "max_output_tokens"),
        ([tc("{", 0, "a", "f"), d("length")], "max_output_tokens"),
        ([d(content="t"), d("content_filter")], "content_filter"),
    ],
)
async def test_an_answer_that_is_cut_off_says_so(chunks, reason, caplog):
    response = await completed(*chunks, raise_on_length_truncation=True)
    assert response.output[-1].status == "incomplete"
    assert response.incomplete_details.reason == reason
    assert "incomplete" in caplog.text


async def test_a_thought_signature_stays_with_its_call():
    google = {"google": {"thought_signature": "sig"}}
    response = await completed(tc("", 0, "a", "f", extra_content=google), tc("{}"), CALLS)
    assert response.output[0].provider_data["thought_signature"] == "sig"


async def test_claudes_blocks_are_kept_as_they_came():
    redacted = {"type": "redacted_thinking", "data": "D"}
    response = await completed(
        d(thinking_blocks=[{"thinking": "a", "signature": "S"}, redacted, {"thinking": "b"}]), STOP
    )
    assert response.output[0].provider_data["thinking_blocks"] == [
        {"type": "thinking", "thinking": "a", "signature": "S"},
        redacted,
        {"type": "thinking", "thinking": "b"},
    ]
    assert response.output[0].encrypted_content == "S"


async def test_other_choices_are_left_out_with_one_warning(caplog):
    chunks = [d(content="x", index=1), d(content="t"), d(content="y", index=1), STOP]
    assert whole((await completed(*chunks)).output[0]) == "message(text:t)"
    assert caplog.text.count("multiple choices") == 1


REFUSED = {
    "no end": ([d(content="t")], {"require_finish_reason": True}, ModelStreamTruncated),
    "no chunk at all": ([], {"require_finish_reason": True}, ModelStreamTruncated),
    "a limit that left nothing": (
        [d("length")],
        {"raise_on_length_truncation": True},
        ModelBehaviorError,
    ),
    "calls that are not there": (
        [CALLS],
        {"raise_on_length_truncation": True},
        ModelBehaviorError,
    ),
    "buffered calls that are not there": ([CALLS], {"buffer": True}, ModelBehaviorError),
    "a buffered call without id": (
        [tc("{}", 0, name="f"), CALLS],
        {"buffer": True},
        ModelBehaviorError,
    ),
    "a buffered call without name": (
        [tc("{}", 0, "a"), CALLS],
        {"buffer": True},
        ModelBehaviorError,
    ),
    "sound": ([d(audio={"id": "a"})], {}, AgentsException),
    "a second choice, strictly": (
        [d(content="t", index=1)],
        {"strict_feature_validation": True},
        UserError,
    ),
    "a custom call, strictly": (
        [d(tool_calls=[{"index": 0, "id": "a", "type": "custom"}])],
        {"strict_feature_validation": True},
        UserError,
    ),
    "a number for a text": ([d(content=42)], {}, ModelReplyMalformed),
    "an object for the calls": ([d(tool_calls={})], {}, ModelReplyMalformed),
    "a null choice": ([{"choices": [None]}], {}, ModelReplyMalformed),
    "thinking that is no text": (
        [d(thinking_blocks=[{"type": "thinking", "thinking": 1}])],
        {},
        ModelBehaviorError,
    ),
}


@pytest.mark.parametrize(("chunks", "options", "error"), REFUSED.values(), ids=REFUSED)
async def test_an_answer_that_cannot_be_taken_is_refused(chunks, options, error):
    with pytest.raises(error):
        await events_of(*chunks, **options)


# --- Any splitting. ----------------------------------------------------------------------

WORDS = st.text(alphabet='ab {}"é\n', min_size=1, max_size=12)


def pieces(draw, text):
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=4)) | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(cuts)]


@st.composite
def answers(draw):
    """Chunks of one answer, cut anywhere, and the items that they stand for."""
    chunks, items = [], []
    if summary := draw(st.none() | WORDS):
        chunks += [d(reasoning_content=piece) for piece in pieces(draw, summary)]
        items.append(f"reasoning({[summary]}, [])")
    if text := draw(st.none() | WORDS):
        chunks += [d(content=piece) for piece in pieces(draw, text)]
        items.append(f"message(text:{text})")
    queues = []
    for number in range(draw(st.integers(0, 3))):
        arguments = draw(WORDS)
        cut = pieces(draw, arguments)
        # The id and the name come with any piece, together or not.
        with_id, with_name = (draw(st.integers(0, len(cut) - 1)) for _ in range(2))
        queues.append(
            [
                tc(
                    piece,
                    number,
                    f"c{number}" if at == with_id else None,
                    f"f{number}" if at == with_name else None,
                )
                for at, piece in enumerate(cut)
            ]
        )
        items.append(f"f{number}#c{number}({arguments})")
    while any(queues):
        chunks.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    return chunks, items


@given(answers(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_deltas_make_up_the_items_however_an_answer_is_cut(answer, buffer):
    chunks, items = answer
    events = asyncio.run(events_of(*chunks, d("stop"), buffer=buffer))
    final = events[-1].response.output
    assert sorted(map(whole, final)) == sorted(items)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas, added, done = {}, {}, {}
    for event in events:
        if event.type == "response.output_item.added":
            added[event.output_index] = event.item
        elif event.type == "response.output_item.done":
            done[event.output_index] = event.item
        elif event.type.endswith(".delta"):
            assert event.output_index in added
            deltas[event.output_index] = deltas.get(event.output_index, "") + event.delta
    assert [done[index] for index in range(len(final))] == final
    assert sorted(added) == sorted(done)
    assert [deltas[index] for index in range(len(final))] == [content(item) for item in final]


def content(item):
    if item.type == "function_call":
        return item.arguments
    parts = item.content if item.type == "message" else item.summary
    return "".join(part.text for part in parts)


# --- Over sockets. -----------------------------------------------------------------------


def asked(**more):
    return {
        "system_instructions": None,
        "input": "hi",
        "model_settings": ModelSettings(),
        "tools": [],
        "output_schema": None,
        "handoffs": [],
        "tracing": ModelTracing.DISABLED,
        "previous_response_id": None,
        "conversation_id": None,
        "prompt": None,
        **more,
    }


async def collect(model, seen):
    async for event in model.stream_response(**asked()):
        seen.append(event)


def client_of(provider):
    http = openai.DefaultAsyncHttpxClient(verify=False)
    return provider.client(http_client=http, max_retries=0)


async def test_a_stream_and_a_plain_answer_say_the_same():
    said = [assistant_message("Hello"), function_call("f", {"a": 1}, call_id="c1")]
    async with ScriptedProvider([said, said]) as provider:
        model = OpenAIChatCompletionsModel("gpt-x", client_of(provider))
        plain = await model.get_response(**asked())
        events = [event async for event in model.stream_response(**asked())]
    streamed = events[-1].response
    assert [whole(item) for item in streamed.output] == [whole(item) for item in plain.output]
    assert plain.request_id
    assert streamed._request_id


async def test_a_cut_stream_is_an_error_at_every_endpoint():
    async with ScriptedProvider([fault("s_fin")]) as provider:
        model = OpenAIChatCompletionsModel("gpt-x", client_of(provider))
        seen = []
        with pytest.raises(ModelStreamTruncated, match="finish_reason"):
            await collect(model, seen)
    seen = [event.type for event in seen]
    assert "response.output_text.delta" in seen
    assert not {"response.output_item.done", "response.completed"} & set(seen)


async def test_a_cut_stream_counts_if_the_endpoint_is_known_to_end_so():
    async with ScriptedProvider([fault("s_no_finish")]) as provider:
        model = OpenAIChatCompletionsModel("gpt-x", client_of(provider), lenient_eof=True)
        events = [event async for event in model.stream_response(**asked())]
    assert events[-1].type == "response.completed"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failed_request_is_ours_and_the_librarys(stream):
    async with ScriptedProvider([fault("http_429")]) as provider:
        model = OpenAIChatCompletionsModel("gpt-x", client_of(provider))
        asking = collect(model, []) if stream else model.get_response(**asked())
        with pytest.raises(ModelRequestError) as caught:
            await asking
    assert isinstance(caught.value, openai.RateLimitError)
    assert "sk-canary" not in str(caught.value)


async def test_a_consumer_that_has_seen_enough_gives_the_connection_back():
    async with ScriptedProvider(
        [[assistant_message("one")], [assistant_message("two")]]
    ) as provider:
        model = OpenAIChatCompletionsModel("gpt-x", client_of(provider))
        stream = model.stream_response(**asked())
        await anext(stream)
        await stream.aclose()
        answer = await model.get_response(**asked())
    assert whole(answer.output[0]) == "message(text:two)"


async def test_a_run_that_is_shown_as_it_goes_ends_as_one_that_is_not():
    async with ScriptedProvider([[assistant_message("done")]] * 2) as provider:
        agent = Agent(name="a", model=OpenAIChatCompletionsModel("gpt-x", client_of(provider)))
        plain = await Runner.run(agent, "hi")
        shown = Runner.run_streamed(agent, "hi")
        async for _ in shown.stream_events():
            pass
    assert shown.final_output == plain.final_output == "done"
    assert shown.last_response_id is plain.last_response_id is None
    usage = [result.context_wrapper.usage.requests for result in (plain, shown)]
    assert usage == [1, 1]
