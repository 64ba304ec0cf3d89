"""A page to talk with an agent in a browser: for trying it out, over the same API as everybody's.

Its address bears the token once, in a link that the terminal prints; from then on a cookie has it, which
no script can read and no other site can send.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from outlast.server.callers import COOKIE

router = APIRouter(include_in_schema=False)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {"chat.html": "text/html", "chat.css": "text/css", "chat.js": "text/javascript"}


@router.get("/")
async def page(request: Request, token: str = "") -> Response:
    """The page; with a token, after that was put into a cookie."""
    if not token:
        return _file("chat.html")
    answer = RedirectResponse(request.url.path, 303)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=is_secure)
    return answer


@router.get("/chat.css")
async def style() -> Response:
    """How it looks."""
    return _file("chat.css")


@router.get("/chat.js")
async def script() -> Response:
    """What it does."""
    return _file("chat.js")


def _file(name: str) -> Response:
    text = files("outlast.server").joinpath("pages", name).read_text("utf-8")
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Response(text, headers=headers, media_type=_KINDS[name])
