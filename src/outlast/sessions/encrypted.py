"""A session around another one that keeps each item encrypted, in openai-agents' envelope."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, cast

from outlast.core.errors import WrongType, WrongValue
from outlast.definitions.context import RunContextWrapper
from outlast.sessions.extras import library
from outlast.sessions.rewriting import Change, RewritableSession, plan
from outlast.sessions.session import (
    SessionABC,
    SessionSettings,
    ask_session,
    check_items,
    item_text,
    session_settings_from,
)
from outlast.sessions.sqlite import SQLiteSession

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from outlast.definitions.run_items import TResponseInputItem

    _Wrapper = RunContextWrapper | None
else:
    _Wrapper = Any

_INFO = b"agents.session-store.hkdf.v1"
_KEY_ID = "hkdf-v1"
_SHORTENING = {"run_compaction": "run_compaction", "_defer_compaction": "defer"}
"""What a session that shortens itself offers, by the name of its `Compactor`'s method."""


class EncryptedSession(SessionABC):
    """A conversation whose items are encrypted before another session keeps them.

    Each item is a Fernet token (github.com/fernet/spec) under a key that is derived from
    ``encryption_key`` and the session id by HKDF-SHA256. Reading passes over what is not
    authentic or has expired, and deletes none of it. Whatever else the other session offers is
    offered here, too. Needs the extra ``encrypt``.

    Args:
        session_id: The conversation; the key depends on it.
        underlying_session: Who keeps the encrypted items.
        encryption_key: A Fernet key, or any other text that nobody can guess.
        ttl: Seconds after which an item counts as expired.
        max_scan_items: How many stored items one call of `get_items` may look at; None for all.

    Raises:
        ImportError: `cryptography` is not installed.
        ValueError: The key is empty, or ``max_scan_items`` is not positive.
    """

    def __init__(
        self,
        session_id: str,
        underlying_session: Any,
        encryption_key: str,
        ttl: int = 600,
        max_scan_items: int | None = None,
    ) -> None:
        if max_scan_items is not None and max_scan_items <= 0:
            raise WrongValue(f"max_scan_items must be positive or None, got {max_scan_items}.")
        self.session_id = session_id
        self.underlying_session = underlying_session
        self.ttl = ttl
        self.max_scan_items = max_scan_items
        self.cipher = _cipher(encryption_key, session_id)

    def __getattr__(self, name: str) -> Any:
        """What the underlying session offers beyond a session."""
        if name in ("underlying_session", "seen_through") or name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self.underlying_session, name)
        own = _SHORTENING.get(name)
        look = None if own is None else getattr(self.underlying_session, "seen_through", None)
        # A session that shortens itself is to see the items, and not what stands for them.
        return found if own is None or look is None else getattr(look(self), own)

    @property
    def session_settings(self) -> SessionSettings | None:
        """The settings of the underlying session."""
        return getattr(self.underlying_session, "session_settings", None)

    @session_settings.setter
    def session_settings(self, value: SessionSettings | dict[str, Any] | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.underlying_session.session_settings = session_settings_from(value)

    async def get_items(
        self, limit: int | None = None, *, wrapper: _Wrapper = None
    ) -> list[TResponseInputItem]:
        """The newest ``limit`` items that are authentic and have not expired, oldest first.

        Raises:
            RuntimeError: ``max_scan_items`` were looked at, and there may be more to find.
            ValueError: ``limit`` is negative, and ``max_scan_items`` allows no unlimited read.
        """
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        if limit is not None and limit < 0 and self.max_scan_items is not None:
            raise WrongValue(f"limit must be non-negative when max_scan_items is set, got {limit}.")
        if limit is None or limit <= 0:
            return await self._all_items(limit, wrapper)
        left = self.max_scan_items
        window = limit
        while True:
            window = window if left is None else min(window, left)
            items, is_complete = await self._window(window, wrapper)
            if is_complete or len(items) >= limit:
                return items[-limit:]
            left = None if left is None else left - window
            if left == 0:
                raise self._exhausted()
            window *= 2

    async def add_items(self, items: list[TResponseInputItem], *, wrapper: _Wrapper = None) -> None:
        check_items(items)
        envelopes = [self.sealed(item) for item in items]
        await self._ask("add_items", envelopes, wrapper=wrapper)

    async def pop_item(self, *, wrapper: _Wrapper = None) -> TResponseInputItem | None:
        """Take the newest readable item away, and what is expired or not encrypted behind it.

        Raises:
            cryptography.fernet.InvalidToken: The newest one is of another key, or was changed. It
                was left where it is.
        """
        while (stored := await self._pop_authentic(wrapper)) is not None:
            if (item := self.opened(stored)) is not None:
                return item
        return None

    async def clear_session(self, *, wrapper: _Wrapper = None) -> None:
        await self._ask("clear_session", wrapper=wrapper)

    async def rewrite_items(self, change: Change) -> bool:
        """See `RewritableSession`; ``change`` sees what can be read. What cannot stays where it is.

        Raises:
            TypeError: The underlying session cannot replace its items in one step.
        """
        inner = self.underlying_session
        if not isinstance(inner, RewritableSession):
            raise WrongType(
                f"{type(inner).__name__} cannot replace its items in one step, and so the encrypted "
                f"session {self.session_id!r} cannot. Use clear_session() and add_items()."
            )

        def changed(stored: list[Any]) -> list[Any] | None:
            known = [
                (place, item) for place, each in enumerate(stored) if (item := self.opened(each))
            ]
            wanted = change([item for _, item in known])
            if wanted is None:
                return None
            dropped, added = plan([item for _, item in known], wanted)
            gone = {known[place][0] for place in dropped}
            kept = [each for place, each in enumerate(stored) if place not in gone]
            return [*kept, *map(self.sealed, added)]

        return await inner.rewrite_items(changed)

    async def _all_items(self, limit: int | None, wrapper: _Wrapper) -> list[TResponseInputItem]:
        """All items, or as many as the underlying session gives for a limit of 0 or less."""
        window = self.max_scan_items if limit is None else limit
        items, is_complete = await self._window(window, wrapper)
        if limit is None and window is not None and not is_complete:
            raise self._exhausted()
        return items

    async def _window(
        self, window: int | None, wrapper: _Wrapper
    ) -> tuple[list[TResponseInputItem], bool]:
        """The readable ones of the newest ``window`` items, and whether there are no older ones."""
        stored = await self._ask("get_items", window, wrapper=wrapper)
        items = [item for each in stored if (item := self.opened(each)) is not None]
        return items, window is None or len(stored) < window

    async def _pop_authentic(self, wrapper: _Wrapper) -> Any:
        inner = self.underlying_session
        if isinstance(inner, SQLiteSession) and type(inner).pop_item is SQLiteSession.pop_item:
            return await inner.pop_item_if(self._authenticate)
        stored = await self._ask("pop_item", wrapper=wrapper)
        if stored is not None:
            try:
                self._authenticate(stored)
            except BaseException:
                await self._ask("add_items", [stored], wrapper=wrapper)
                raise
        return stored

    async def _ask(self, method: str, *args: Any, wrapper: _Wrapper) -> Any:
        return await ask_session(self.underlying_session, method, *args, wrapper=wrapper)

    def _authenticate(self, stored: Any) -> None:
        """Refuse an envelope of another key. What is no envelope is nobody's."""
        if (token := _token(stored)) is not None:
            self.cipher.extract_timestamp(token)

    def sealed(self, item: TResponseInputItem) -> TResponseInputItem:
        """The envelope in which ``item`` is kept."""
        text = item_text(item, separators=(",", ":"), ensure_ascii=False, default=str)
        payload = self.cipher.encrypt(text.encode()).decode()
        envelope = {"__enc__": 1, "v": 1, "kid": _KEY_ID, "payload": payload}
        return cast("TResponseInputItem", envelope)

    def opened(self, stored: Any) -> TResponseInputItem | None:
        """The item in an envelope; None if it is not authentic, has expired, or is no envelope."""
        from cryptography.fernet import InvalidToken

        token = _token(stored)
        if token is None:
            return None
        try:
            item: object = json.loads(self.cipher.decrypt(token, ttl=self.ttl))
        except (InvalidToken, ValueError):
            return None
        return cast("TResponseInputItem", item) if isinstance(item, dict) else None

    def has_expired(self, stored: Any) -> bool:
        """Whether ``stored`` is an authentic envelope whose time is over."""
        from cryptography.fernet import InvalidToken

        if (token := _token(stored)) is None or self.opened(stored) is not None:
            return False
        try:
            self.cipher.decrypt(token)
        except InvalidToken:
            return False
        return True

    def _exhausted(self) -> RuntimeError:
        return RuntimeError(
            "EncryptedSession max_scan_items exhausted before a complete history result could be established: "
            f"after {self.max_scan_items} stored items of session "
            f"{self.session_id!r} there may be more to read. Raise it, or read fewer items."
        )


def _token(stored: Any) -> bytes | None:
    """The encrypted part of an envelope; None if this is no envelope of ours."""
    if not isinstance(stored, dict):
        return None
    envelope = cast("dict[str, Any]", stored)
    facts = (envelope.get("__enc__"), envelope.get("v"), envelope.get("kid"))
    payload = envelope.get("payload")
    return payload.encode() if facts == (1, 1, _KEY_ID) and isinstance(payload, str) else None


def _cipher(encryption_key: str, session_id: str) -> Fernet:
    """The cipher of one session: its key is derived, so that sessions cannot read each other."""
    if encryption_key is not None and not isinstance(encryption_key, str):  # pyright: ignore[reportUnnecessaryComparison, reportUnnecessaryIsInstance]  # a caller's
        raise WrongType(
            f"encryption_key must be a text, got {type(encryption_key).__name__}. Decode bytes: "
            "key.decode()."
        )
    if not encryption_key:
        raise WrongValue(
            "encryption_key not set; required for EncryptedSession. Give a Fernet key or another secret text."
        )
    fernet = library("cryptography.fernet", "EncryptedSession", "encrypt")
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    master = encryption_key.encode()
    try:
        decoded = base64.urlsafe_b64decode(master)
    except ValueError:
        decoded = b""
    is_fernet_key = len(decoded) == 32  # noqa: PLR2004  # bytes of a Fernet key
    kdf = HKDF(hashes.SHA256(), length=32, salt=session_id.encode(), info=_INFO)
    derived = kdf.derive(decoded if is_fernet_key else master)
    return fernet.Fernet(base64.urlsafe_b64encode(derived))
