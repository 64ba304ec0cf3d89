"""The agents that are served: put yours here. Settings come from the environment."""

import os

from outlast import Agent
from outlast.server import ApiKeys, App

desk = Agent(
    name="Desk", instructions="Help with orders.", model=os.environ.get("DESK_MODEL", "gpt-5")
)
app = App(
    agents=[desk],
    auth=ApiKeys(),
    hosts=os.environ.get("DESK_HOSTS", "").split(),
    cors=os.environ.get("DESK_ORIGINS", "").split(),
)
