"""Where a webhook may go: to the internet, and not into the network that the server is in."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from outlast.core.errors import UserError

_PORTS = {"https": 443, "http": 80}


def check_url(url: str, *, reaches_private: bool) -> SplitResult:
    """The parts of a receiver's address.

    Raises:
        UserError: Nothing can be sent there, or not without being read on the way.
    """
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole, parts = False, urlsplit("")
    schemes = ("https", "http") if reaches_private else ("https",)
    if not is_whole or parts.scheme not in schemes or parts.username or parts.fragment:
        raise UserError(
            "A webhook goes to an address like https://shop.example/hooks, without a name and a password in it."
        )
    return parts


async def address_of(parts: SplitResult, *, reaches_private: bool) -> str:
    """The number of the machine that a webhook goes to: the one that was looked at is the one that is asked.

    Raises:
        UserError: It is in a private network, or nowhere.
    """
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"There is no machine {host!r:.100}.") from error
    numbers = [str(address[0]) for *_, address in found]
    if not reaches_private and not all(ip_address(each).is_global for each in numbers):
        raise UserError(f"{host!r:.100} is in a private network, which no webhook reaches.")
    return numbers[0]
