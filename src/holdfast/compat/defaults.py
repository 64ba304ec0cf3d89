"""Put process-wide defaults back to what a fresh process has (for test suites)."""

from __future__ import annotations


def reset_defaults() -> None:
    """Forget the default OpenAI key, client, API, transport and agent runner of this process."""
    from holdfast.models import defaults  # not before it is needed: `install()` comes first
    from holdfast.run import runner

    defaults.reset_defaults()
    runner.set_default_agent_runner(None)
