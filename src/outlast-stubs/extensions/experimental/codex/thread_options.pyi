# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.options import AbortSignal as AbortSignal
from outlast.extras.codex.options import ApprovalMode as ApprovalMode
from outlast.extras.codex.options import CodexOptions as CodexOptions
from outlast.extras.codex.options import ModelReasoningEffort as ModelReasoningEffort
from outlast.extras.codex.options import SandboxMode as SandboxMode
from outlast.extras.codex.options import ThreadOptions as ThreadOptions
from outlast.extras.codex.options import TurnOptions as TurnOptions
from outlast.extras.codex.options import WebSearchMode as WebSearchMode
from outlast.extras.codex.options import coerce_codex_options as coerce_codex_options
from outlast.extras.codex.options import coerce_thread_options as coerce_thread_options
from outlast.extras.codex.options import coerce_turn_options as coerce_turn_options
