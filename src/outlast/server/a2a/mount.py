"""The addresses of A2A: for each agent its card, which needs no key, and its methods, which need one."""

from __future__ import annotations

from typing import Any

from a2a.server.context import ServerCallContext
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.rest_routes import create_rest_routes
from fastapi import Request
from fastapi.security import SecurityScopes
from starlette.routing import BaseRoute, Router

from outlast.server.a2a.card import card_of
from outlast.server.a2a.handler import Handler
from outlast.server.callers import caller_of
from outlast.server.problems import Problem
from outlast.server.registry import Agents
from outlast.server.service import service_of
from outlast.server.shield import Receive, Scope, Send

CARD = "/.well-known/agent-card.json"
_CACHED = "public, max-age=60"


class A2A:
    """An ASGI app to mount: ``/AGENT`` has the methods, ``/AGENT/.well-known/agent-card.json`` the card.

    Args:
        agents: Those that are served, also those that are registered later.
    """

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request about the agent that its path names; the only one, at the root."""
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        address, _, rest = path.strip("/").partition("/")
        if path == CARD:  # At the root: that of the only agent.
            address, rest = "", CARD.strip("/")
        agent = self._agents.find(address)
        if agent is None or scope["type"] != "http":
            raise Problem(404, "agent-not-found", f"There is no agent {address!r:.80} here.")
        if f"/{rest}" == CARD:
            address = next(slug for slug, each in self._agents.slugs().items() if each is agent)
            card = card_of(agent, f"{str(request.base_url).rstrip('/')}/a2a/{address}")
            routes: list[BaseRoute] = [
                *create_agent_card_routes(card, card_url=CARD, cache_control=_CACHED)
            ]
        else:
            scope["state"]["caller"] = await caller_of(request, _scope_of(request, rest))
            handler = Handler(service_of(request), agent)
            options: Any = {"context_builder": _Contexts(), "enable_v0_3_compat": True}
            routes = [
                *create_jsonrpc_routes(handler, "/", **options),
                *create_rest_routes(handler, **options),
            ]
        below = {**scope, "path": f"/{rest}", "root_path": ""}
        await Router(routes, redirect_slashes=False)(below, receive, send)


def _scope_of(request: Request, rest: str) -> SecurityScopes:
    """What a method wants; those of JSON-RPC stand in the body, and the handler looks at them."""
    if not rest:
        return SecurityScopes()
    reads = request.method == "GET" or rest.endswith(":subscribe")
    return SecurityScopes(["runs:read" if reads else "runs:write"])


class _Contexts(DefaultServerCallContextBuilder):
    """Tells the handler who asks."""

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        context.state["caller"] = request.scope["state"]["caller"]
        return context
