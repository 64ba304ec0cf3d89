"""What goes wrong with MCP servers, one class for each thing that a caller can do about it."""

from __future__ import annotations

from outlast.core.errors import UserError


class MCPConnectionError(UserError):
    """A server did not start, could not be reached, or its connection is gone. Connect again."""


class MCPRequestError(UserError):
    """A server refused a request, or answered with something that is no answer."""


class MCPTimeoutError(UserError, TimeoutError):
    """A server did not answer in time. Allow more, or ask for less."""


class MCPTooLargeError(UserError):
    """A server sent more than the limit allows. Raise the limit, or ask for less."""


class MCPListingError(UserError):
    """A server's list has no end: it repeats a cursor, or has too many pages."""


class MCPToolMissing(UserError):
    """A call in the log means a tool that its server does not offer any more."""
