"""Names of openai-agents' session modules that code of others imports, beside ours."""

from outlast.sessions.stored import run_to_end

_await_mutation = run_to_end

__all__ = ["_await_mutation"]
