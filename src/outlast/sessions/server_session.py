"""A session whose items are on a server, behind a client that is the caller's or its own."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any, Self

from outlast.sessions.session import SessionSettings
from outlast.sessions.stored import StoredSession


class ServerSession(StoredSession):
    """A conversation on a server. A session that made its client closes it, and only that one."""

    def __init__(
        self,
        session_id: str,
        client: Any,
        session_settings: SessionSettings | dict[str, Any] | None,
    ) -> None:
        super().__init__(session_id, session_settings)
        self._client = client
        self._lock = asyncio.Lock()
        self._owns_client = False
        self._closed = False

    def owning_its_client(self) -> Self:
        """This session, whose client `close` closes from now on."""
        self._owns_client = True
        return self

    async def close(self) -> None:
        """Close the client if the session made it. A second close does nothing."""
        if self._owns_client and not self._closed:
            self._closed = True
            await self._close_client()

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

    async def _close_client(self) -> None:
        await self._client.close()

    @abstractmethod
    async def _answers(self) -> bool:
        """Ask the server something that changes nothing. What keeps it from answering is raised."""
