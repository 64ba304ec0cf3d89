"""Let `import agents` mean Outlast: `install()` once, before the first import of `agents`.

import outlast.compat

outlast.compat.install()

from agents import Agent, Runner  # These are Outlast's.
"""

from outlast.compat.aliases import install, install_unless_taken, uninstall

__all__ = ["install", "install_unless_taken", "reset_defaults", "uninstall"]


def reset_defaults() -> None:
    """Forget the default OpenAI key, client, API, transport and agent runner of this process."""
    from outlast.models import defaults  # not before it is needed: `install()` comes first
    from outlast.run import runner

    defaults.reset_defaults()
    runner.set_default_agent_runner(None)
