"""Names of openai-agents' Codex tool that only code knows which has looked at its insides."""

from outlast.extras.codex.records import Record
from outlast.extras.codex.thread import split_input

_DictLike = Record
_normalize_input = split_input
