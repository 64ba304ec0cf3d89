# Written by `python tests/public_names.py`. The module has no file.
from outlast.run.result import AgentToolInvocation as AgentToolInvocation
from outlast.run.result import RunResult as RunResult
from outlast.run.result import RunResultBase as RunResultBase
from outlast.run.result import T as T
from outlast.run.result import ToInputListMode as ToInputListMode
from outlast.run.result import described as described
from outlast.run.result import details as details
from outlast.run.result import empty as empty
from outlast.run.result import fill as fill
from outlast.run.stream import Feed as Feed
from outlast.run.stream import RunResultStreaming as RunResultStreaming
from outlast.definitions.context import AgentHookContext as AgentHookContext
from outlast.definitions.context import EffectHandle as EffectHandle
from outlast.definitions.context import RunContextWrapper as RunContextWrapper
from outlast.definitions.context import TContext as TContext
from outlast.definitions.context import ToolContext as ToolContext
from outlast.definitions.context import plain_context as plain_context
