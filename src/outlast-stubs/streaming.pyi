# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.stream_events import AgentUpdatedStreamEvent as AgentUpdatedStreamEvent
from outlast.definitions.stream_events import RawResponsesStreamEvent as RawResponsesStreamEvent
from outlast.definitions.stream_events import RunItemEventName as RunItemEventName
from outlast.definitions.stream_events import RunItemStreamEvent as RunItemStreamEvent
from outlast.definitions.stream_events import StreamEvent as StreamEvent
from outlast.definitions.stream_events import ToolProgressStreamEvent as ToolProgressStreamEvent
from outlast.run.stream import BREATH_TICKS as BREATH_TICKS
from outlast.run.stream import Feed as Feed
from outlast.run.stream import RunResultStreaming as RunResultStreaming
from outlast.run.stream import UNREAD_TOKENS_MAX as UNREAD_TOKENS_MAX
