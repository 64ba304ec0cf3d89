"""What an agent says of itself to other agents."""

from __future__ import annotations

from typing import Any

from a2a.types.a2a_pb2 import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)

from outlast.definitions.agent import Agent
from outlast.server.registry import slug
from outlast.version import __version__

_MODES = ["text/plain", "application/json"]
_BINDINGS = (("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"))


def card_of(agent: Agent[Any], url: str) -> AgentCard:
    """The card of an agent at an address: one skill, and how a key is sent."""
    about = agent.handoff_description or f"The agent {agent.name}."
    return AgentCard(
        name=agent.name,
        description=about,
        version=__version__,
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
            for binding, version in _BINDINGS
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False),
        default_input_modes=_MODES,
        default_output_modes=_MODES,
        skills=[
            AgentSkill(id=slug(agent.name), name=agent.name, description=about, tags=["agent"])
        ],
        security_schemes={
            "key": SecurityScheme(http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="Bearer"))
        },
        security_requirements=[SecurityRequirement(schemes={"key": StringList()})],
    )
