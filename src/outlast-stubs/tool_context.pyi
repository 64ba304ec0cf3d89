# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.context import AgentHookContext as AgentHookContext
from outlast.definitions.context import EffectHandle as EffectHandle
from outlast.definitions.context import RunContextWrapper as RunContextWrapper
from outlast.definitions.context import TContext as TContext
from outlast.definitions.context import ToolContext as ToolContext
from outlast.definitions.context import approvals_of as approvals_of
from outlast.definitions.context import effect_of as effect_of
from outlast.definitions.context import fault_of as fault_of
from outlast.definitions.context import keep_approvals as keep_approvals
from outlast.definitions.context import note_fault as note_fault
from outlast.definitions.context import note_unfit as note_unfit
from outlast.definitions.context import plain_context as plain_context
from outlast.definitions.context import unfit_of as unfit_of
