# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.reasoning_replay import REASONING_FIELD as REASONING_FIELD
from outlast.models.reasoning_replay import ReasoningContentReplayContext as ReasoningContentReplayContext
from outlast.models.reasoning_replay import ReasoningContentSource as ReasoningContentSource
from outlast.models.reasoning_replay import ShouldReplayReasoningContent as ShouldReplayReasoningContent
from outlast.models.reasoning_replay import THINKING_BLOCKS as THINKING_BLOCKS
from outlast.models.reasoning_replay import default_should_replay_reasoning_content as default_should_replay_reasoning_content
from outlast.models.reasoning_replay import has_no_origin as has_no_origin
from outlast.models.reasoning_replay import is_own as is_own
