"""What goes wrong with MCP servers, one class for each thing that a caller can do about it."""

from __future__ import annotations

from outlast.core.errors import UserError


class MCPConnectionError(UserError):
    """A server did not start, could not be reached, or its connection is gone. Connect again."""

    to_model = "The server of the tool is not there."
    """What a model is told of it, behind the sentence that it reads of every failure."""


class MCPCommandNotFound(MCPConnectionError, FileNotFoundError):
    """A stdio server's command, or its folder, is not there."""


class MCPCommandNotAllowed(MCPConnectionError, PermissionError):
    """A stdio server's command is there, and is no program that we may run."""


class MCPRequestError(UserError):
    """A server refused a request, or answered with something that is no answer."""

    to_model = "The server of the tool refused the call."


class MCPTimeoutError(UserError, TimeoutError):
    """A server did not answer in time. Allow more, or ask for less."""

    to_model = "It did not answer in time, and may have done something or not."


class MCPTooLargeError(UserError):
    """A server sent more than the limit allows. Raise the limit, or ask for less."""

    to_model = "It was performed, but its answer is too large. Ask it for less."


class MCPListingError(UserError):
    """A server's list has no end: it repeats a cursor, or has too many pages."""
