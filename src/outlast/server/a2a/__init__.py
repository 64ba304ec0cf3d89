"""Agents for other agents, as A2A has it: a task is a run, a context a session, a message's id its key.

The library `a2a-sdk` speaks the protocol, versions 1.0 and 0.3, as JSON-RPC and as HTTP+JSON. Here
stands what it asks: views of the log, and commands.
"""

from outlast.server.a2a.mount import A2A

__all__ = ["A2A"]
