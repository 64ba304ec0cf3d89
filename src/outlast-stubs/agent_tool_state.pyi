# Written by `python tests/public_names.py`. The module has no file.
from outlast.run.agent_tool import AnyAgent as AnyAgent
from outlast.run.agent_tool import agent_as_tool as agent_as_tool
