# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.output import AgentOutputSchema as AgentOutputSchema
from outlast.definitions.output import AgentOutputSchemaBase as AgentOutputSchemaBase
from outlast.compat.guides.names import AgentOutput as AgentOutput
from outlast.compat.guides.names import ApprovalResult as ApprovalResult
from outlast.compat.guides.names import FunctionAgent as FunctionAgent
from outlast.compat.guides.names import FunctionSchema as FunctionSchema
from outlast.compat.guides.names import Guardrail as Guardrail
from outlast.compat.guides.names import GuardrailFailureMode as GuardrailFailureMode
from outlast.compat.guides.names import GuardrailOutput as GuardrailOutput
from outlast.compat.guides.names import GuardrailTripwireTriggered as GuardrailTripwireTriggered
from outlast.compat.guides.names import InputGuardrailOutputData as InputGuardrailOutputData
from outlast.compat.guides.names import MaxTurnsExceededError as MaxTurnsExceededError
from outlast.compat.guides.names import OutputGuardrailOutputData as OutputGuardrailOutputData
from outlast.compat.guides.names import RequireApprovalSetting as RequireApprovalSetting
from outlast.compat.guides.names import RunContext as RunContext
from outlast.compat.guides.names import ToolExecutionError as ToolExecutionError
