"""Let `import agents` mean Holdfast: `install()` once, before the first import of `agents`.

import holdfast.compat

holdfast.compat.install()

from agents import Agent, Runner  # These are Holdfast's.
"""

from holdfast.compat.aliases import install, uninstall
from holdfast.compat.defaults import reset_defaults

__all__ = ["install", "reset_defaults", "uninstall"]
