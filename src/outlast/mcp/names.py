"""Names: of servers as people may read them, and of tools as models may call them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from outlast.core.errors import UserError

MAX_TOOL_NAME = 64
_CALLABLE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
_URL = re.compile(r"^(?P<kind>[\w -]+: )?(?P<url>https?://.*)$", re.IGNORECASE | re.DOTALL)
_SECRETIVE = re.compile(r"[\w+.-]{2,}:/|[^\s:]*:\S+@|\?\S*=|^(sse|streamable_http): ")


def public_url(url: str) -> str:
    """A URL without what may be secret in it: user, password, query, fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "<invalid-url>"
    if not host:
        return "<invalid-url>"
    shown = f"[{host}]" if ":" in host else host
    shown += "" if port is None else f":{port}"
    return f"{parts.scheme}://{shown}{parts.path}"


def require_url(url: object) -> None:
    """Refuse, with a `UserError` that does not quote it, what is no URL of a server."""
    match = _URL.match(url) if isinstance(url, str) else None
    if match is None or match["kind"] or public_url(match["url"]) == "<invalid-url>":
        raise UserError(
            "The url of an MCP server is no URL to reach it at (not shown: it may hold a secret). "
            "Expected http:// or https://, then a host, without a blank before it."
        )


def public_name(name: str) -> str:
    """The name of a server as logs, spans and errors may have it."""
    match = _URL.match(name)
    if match is None:
        is_command = name.startswith("stdio: ")
        return "a server" if _SECRETIVE.search(name) and not is_command else printable(name)
    return (match["kind"] or "") + public_url(match["url"])


def printable(text: str) -> str:
    """``text`` with every character written out that a terminal or a reader could not see as such."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _clean(text: str, fallback: str) -> str:
    return _FOREIGN.sub("_", text).strip("_-") or fallback


def _digest(server: str, tool: str, attempt: int) -> str:
    source = f"{server}\0{tool}" + (f"\0{attempt}" if attempt else "")
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()[:8]


def prefixed_names(offers: Sequence[tuple[str, int, str]], reserved: Iterable[str]) -> list[str]:
    """The names of tools with their server's before them, unique and at most 64 characters long.

    They do not depend on the order of the servers.

    Args:
        offers: For each tool the name of its server, which of the servers with that name it is, and
            its own name.
        reserved: Names that are taken.
    """
    stems = [
        f"mcp_{_clean(server, 'server')}__{_clean(tool, 'tool')}" for server, _, tool in offers
    ]
    counts = Counter(stems)
    taken = set(reserved)
    for stem in stems:
        if len(stem) <= MAX_TOOL_NAME and counts[stem] == 1 and stem not in taken:
            continue
        counts[stem] += 1  # Not to be used as it is, by any of those that have it.
    plain = {stem for stem in stems if counts[stem] == 1}
    taken |= plain
    names = dict[int, str]()
    for index in sorted(range(len(offers)), key=lambda i: (offers[i], i)):
        server, twin, tool = offers[index]
        stem = stems[index]
        names[index] = stem if stem in plain else _hashed(stem, server, twin, tool, taken)
        taken.add(names[index])
    return [names[index] for index in range(len(offers))]


def callable_names(offers: Sequence[tuple[str, int, str]]) -> list[str]:
    """Names by which models can call tools: their own, where models can say it.

    The protocol allows 128 letters, and dots; providers refuse a whole request for one such name.
    """
    own = [tool for _, _, tool in offers]
    taken = {tool for tool in own if _CALLABLE.fullmatch(tool)}
    stems = Counter(_clean(tool, "tool") for tool in {*own} - taken)
    names = dict[int, str]()
    for index in sorted(range(len(offers)), key=lambda i: (offers[i], i)):
        server, twin, tool = offers[index]
        stem = _clean(tool, "tool")
        if tool in taken:
            names[index] = tool
        elif len(stem) <= MAX_TOOL_NAME and stems[stem] == 1 and stem not in taken:
            names[index] = stem
        else:
            names[index] = _hashed(stem, server, twin, tool, taken)
    return [names[index] for index in range(len(offers))]


def _hashed(stem: str, server: str, twin: int, tool: str, taken: set[str]) -> str:
    attempt = twin
    while True:
        suffix = f"_{_digest(server, tool, attempt)}"
        name = stem[: MAX_TOOL_NAME - len(suffix)] + suffix
        if name not in taken:
            return name
        attempt += 1


def fingerprint(*parts: Any) -> str:
    """A short hash of what a server says about a tool.

    Raises:
        RecursionError: It is nested too deeply.
        UnicodeEncodeError: There is half of a character in it.
    """
    import json

    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
