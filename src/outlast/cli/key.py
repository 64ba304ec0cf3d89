"""The key and the endpoint of the default provider, looked at: what they look like, and whether they work.

A key is never shown, nor any part of it.
"""

from __future__ import annotations

import os
from typing import Any

from outlast.cli.check import Check

_OPENAI = "https://api.openai.com/v1"
_BEGINS, _SHORTEST = "sk-", 20
_LONGEST_WAIT_S = 15.0


def has_key() -> bool:
    """Whether the default provider can be asked: with a key, or at an endpoint of the user's own."""
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    return any(os.environ.get(name, "").strip() for name in names)


def is_offline() -> bool:
    """Whether the offline stand-in is asked for."""
    return os.environ.get("OUTLAST_OFFLINE") == "1"


def key_check() -> Check:
    """What there is to answer a model that is named, and whether its key can be one. Asks nobody."""
    if is_offline():
        return Check("model", "good", "offline stand-in (OUTLAST_OFFLINE is set)")
    if not has_key():
        text = "no OPENAI_API_KEY and no OUTLAST_OFFLINE=1: agents need a model of their own"
        return Check("model", "note", text)
    place, value = (
        os.environ.get("OPENAI_BASE_URL", "").strip(),
        os.environ.get("OPENAI_API_KEY", ""),
    )
    if place and not place.startswith(("http://", "https://")):
        return Check("model", "bad", "OPENAI_BASE_URL is no address: it begins with https://")
    if not value.strip():
        return Check("model", "note", "OPENAI_BASE_URL is set, and no OPENAI_API_KEY")
    if fault := _fault(value, is_openais=not place):
        return Check("model", "bad", fault)
    at = "of its form" if not place else "for the endpoint in OPENAI_BASE_URL"
    return Check("model", "good", f"OPENAI_API_KEY is set, {at}; --live asks whether it works")


def _fault(value: str, *, is_openais: bool) -> str:
    """What is wrong with the form of a key; empty if nothing is."""
    if value != value.strip():
        return "OPENAI_API_KEY has white space at its ends. Set it without."
    if not (value.isascii() and value.isprintable()) or " " in value:
        return "OPENAI_API_KEY has characters that no key has. Copy it anew."
    if value[0] in "\"'`<" or value.endswith("..."):
        return "OPENAI_API_KEY is a placeholder, or has quotes in it. Set the key itself."
    if is_openais and not (value.startswith(_BEGINS) and len(value) >= _SHORTEST):
        return (
            "OPENAI_API_KEY is no key of OpenAI's: they begin with sk- and are longer. "
            "For another provider, set OPENAI_BASE_URL too."
        )
    return ""


async def provider_check() -> Check:
    """Whether the provider answers and takes the key: it is asked for its list of models, which costs nothing."""
    if is_offline():
        return Check("provider", "note", "not asked: OUTLAST_OFFLINE is set")
    if not has_key():
        return Check("provider", "note", "not asked: there is no OPENAI_API_KEY")
    if key_check().verdict == "bad":
        return Check("provider", "note", "not asked: see model")
    import openai

    place = os.environ.get("OPENAI_BASE_URL", "").strip() or _OPENAI
    try:
        # A redirect would carry the key to an address that nobody has chosen.
        async with openai.AsyncOpenAI(
            api_key=os.environ.get("OPENAI_API_KEY") or "none",
            base_url=place,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
            timeout=_LONGEST_WAIT_S,
            max_retries=0,
        ) as client:
            found: Any = await client.models.list()
    except openai.APIStatusError as error:
        return _refused(error.status_code, place)
    except openai.APIConnectionError as error:
        cause = type(error.__cause__ or error).__name__
        return Check(
            "provider", "bad", f"{place} cannot be reached ({cause}). Check the network, proxies."
        )
    except Exception as error:  # noqa: BLE001  # an answer of any form, from any endpoint
        return Check(
            "provider",
            "bad",
            f"{place} cannot be asked, or answers something else ({type(error).__name__}).",
        )
    count = len(getattr(found, "data", None) or ())
    return Check("provider", "good", f"{place} takes the key, and lists {count} models")


def _refused(status: int, place: str) -> Check:
    if status in (401, 403):
        return Check(
            "provider", "bad", f"{place} refuses the key ({status}). Make a new one there."
        )
    if status in (404, 405, 501):
        return Check("provider", "note", f"{place} answers, and has no list of models ({status})")
    if status == 429:  # noqa: PLR2004  # too many requests
        return Check("provider", "note", f"{place} takes the key, and wants fewer requests (429)")
    return Check("provider", "bad", f"{place} answers with status {status}")
