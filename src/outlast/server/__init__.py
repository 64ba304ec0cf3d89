"""Agents as a server: an ASGI app over the journal, with an API of its own and those that clients know.

    from outlast.server import App

    app = App(agents=[desk])

Every surface is a projection of the log and a way to post commands. The server keeps nothing of its
own: whichever process answers, it reads the same log.
"""

from outlast.server.app import App
from outlast.server.callers import Caller

__all__ = ["App", "Caller"]
