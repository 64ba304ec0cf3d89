"""A session whose items are on a server, behind a client that is the caller's or its own."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

from outlast.sessions.per_loop import PerLoop
from outlast.sessions.session import SessionSettings
from outlast.sessions.stored import StoredSession


class ServerSession(StoredSession):
    """A conversation on a server. A session that made its client closes it, and only that one.

    Clients belong to the loop in which they are used. A session that makes its own has one for each
    loop that uses it, so it may be shared by threads, and used by one `asyncio.run` after another.
    """

    def __init__(
        self,
        session_id: str,
        client: Any,
        session_settings: SessionSettings | dict[str, Any] | None,
    ) -> None:
        super().__init__(session_id, session_settings)
        self._given: Any = client
        self._clients: PerLoop[Any] | None = None
        self._locks = PerLoop(asyncio.Lock)
        self._closed = False

    def owning_its_client(self, make: Callable[[], Any]) -> Self:
        """This session, whose client `close` closes from now on; ``make`` makes one for another loop."""
        self._clients = PerLoop(make, self._given)
        return self

    @property
    def _client(self) -> Any:
        """The client for the loop that runs."""
        return self._given if self._clients is None else self._clients.here()

    @property
    def _lock(self) -> asyncio.Lock:
        """Held by one of this loop at a time. Those of others are to the server like other processes."""
        return self._locks.here()

    async def close(self) -> None:
        """Close the client if the session made it. A second close does nothing.

        Of those that other loops have used, each is forgotten with its loop.
        """
        if self._clients is not None and not self._closed:
            self._closed = True
            client = self._clients.take()
            if client is not None:
                await self._close_client(client)

    async def ping(self) -> bool:
        """Whether the server answers.

        Raises:
            RuntimeError: The session is closed.
        """
        self.require_open()
        try:
            return await self._answers()
        except Exception:  # noqa: BLE001  # whatever keeps it from answering
            return False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def require_open(self) -> None:
        """Refuse to work after `close`.

        Raises:
            RuntimeError: The session is closed.
        """
        if self._closed:
            raise RuntimeError(
                f"{type(self).__name__} is closed (session {self.session_id!r}). "
                "Make a new one to go on."
            )

    async def _close_client(self, client: Any) -> None:
        await client.close()

    @abstractmethod
    async def _answers(self) -> bool:
        """Ask the server something that changes nothing. What keeps it from answering is raised."""
