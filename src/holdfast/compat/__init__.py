"""Let `import agents` mean Holdfast: `install()` once, before the first import of `agents`.

import holdfast.compat

holdfast.compat.install()

from agents import Agent, Runner  # These are Holdfast's.
"""

from holdfast.compat.aliases import install, uninstall

__all__ = ["install", "reset_defaults", "uninstall"]


def reset_defaults() -> None:
    """Forget the default OpenAI key, client, API, transport and agent runner of this process."""
    from holdfast.models import defaults  # not before it is needed: `install()` comes first
    from holdfast.run import runner

    defaults.reset_defaults()
    runner.set_default_agent_runner(None)
