"""The tools of a server as they were listed last, and how long lists are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from outlast.core.items import copied
from outlast.mcp.errors import MCPListingError
from outlast.mcp.library import value
from outlast.mcp.names import public_name

PAGES = 10_000
"""A list that has more pages than this has no end, whatever nobody said about a limit."""


class Listing:
    """A server's tools. Of listings that overlap, the one that began last counts."""

    def __init__(self) -> None:
        self.tools: list[Any] | None = None
        self._is_stale = True
        self._begun = 0
        self._published = 0
        self._valid_from = 0

    def invalidate(self) -> None:
        """Have the next one list anew. What is being listed now is not kept as fresh."""
        self._is_stale = True
        self._valid_from = self._begun + 1

    def fresh(self) -> list[Any] | None:
        """The tools, if they need not be listed again."""
        return self.tools if self.tools and not self._is_stale else None

    def begin(self) -> int:
        """The ticket of a listing that begins now."""
        self._begun += 1
        return self._begun

    def publish(self, ticket: int, tools: list[Any]) -> None:
        """Keep ``tools``, which nobody else has, unless a listing that began later has been kept."""
        if ticket < self._published:
            return
        self._published = ticket
        self.tools = tools
        self._is_stale = ticket < self._valid_from

    def copies(self) -> list[Any] | None:
        """Copies of the tools; None if there were none listed."""
        if self.tools is None:
            return None
        return [copy_of(tool) for tool in self.tools]


def copy_of(model: Any) -> Any:
    """A copy of one of the library's models, or of JSON, that shares nothing with it.

    pydantic's own deep copy of a tool takes six times as long, and there are many tools.
    """
    if not hasattr(model, "model_copy"):
        return copied(model)
    twin = model.model_copy()
    extra: dict[str, Any] = twin.__pydantic_extra__ or {}
    for fields in (twin.__dict__, extra):
        for name, content in fields.items():
            if not isinstance(content, str | bool | None):
                fields[name] = copy_of(content)
    return twin


async def all_pages(
    server: str, what: str, page: Callable[[str | None], Awaitable[Any]], limit: int | None
) -> list[Any]:
    """All pages of a list.

    Raises:
        MCPListingError: A cursor comes again, or there are more pages than ``limit``.
    """
    most = PAGES if limit is None else limit
    pages: list[Any] = []
    seen = set[str]()
    cursor: str | None = None
    while True:
        pages.append(await page(cursor))
        cursor = value(pages[-1], "next_cursor")
        if cursor is None:
            return pages
        if cursor in seen:
            raise MCPListingError(
                f"MCP server {public_name(server)!r} returned a repeated cursor while its {what} were "
                f"listed (page {len(pages)}): the list has no end. Nothing of it is used."
            )
        if len(pages) >= most:
            raise MCPListingError(
                f"Listing the {what} of MCP server {public_name(server)!r} exceeded max_list_pages: "
                f"there are more than {most} pages. Nothing of them is used; allow more pages if the "
                "server is to be trusted."
            )
        seen.add(cursor)
