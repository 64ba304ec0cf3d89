# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.hooks import AgentHooks as AgentHooks
from outlast.definitions.hooks import AgentHooksBase as AgentHooksBase
from outlast.definitions.hooks import RunHooks as RunHooks
from outlast.definitions.hooks import RunHooksBase as RunHooksBase
from outlast.definitions.hooks import TAgent as TAgent
