"""`outlast serve` from the outside: a client of its API, and its runs as a journal to read."""

from outlast.client.client import Client, ServerProblem, ServerUnreachable
from outlast.client.journal import ServerJournal

__all__ = ["Client", "ServerJournal", "ServerProblem", "ServerUnreachable"]
