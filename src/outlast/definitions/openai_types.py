"""Types of `openai` that have other names here.

Apart from the modules that use them, which import this one for type checkers only: to import
`openai` takes long.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from openai.types import responses as api

TResponse: TypeAlias = api.Response
TResponseInputItem: TypeAlias = api.ResponseInputItemParam
TResponseOutputItem: TypeAlias = api.ResponseOutputItem
TResponseStreamEvent: TypeAlias = api.ResponseStreamEvent

ToolCallItemTypes: TypeAlias = api.ResponseOutputItem | dict[str, Any]
ToolCallOutputTypes: TypeAlias = api.ResponseInputItemParam | dict[str, Any]
ToolApprovalRawItem: TypeAlias = api.ResponseOutputItem | dict[str, Any]
ToolSearchCallRawItem: TypeAlias = api.ResponseOutputItem | dict[str, Any]
ToolSearchOutputRawItem: TypeAlias = api.ResponseOutputItem | dict[str, Any]

ShellToolLocalSkill: TypeAlias = api.LocalSkillParam
ShellToolSkillReference: TypeAlias = api.SkillReferenceParam
ShellToolInlineSkillSource: TypeAlias = api.InlineSkillSourceParam
ShellToolInlineSkill: TypeAlias = api.InlineSkillParam
ShellToolContainerSkill: TypeAlias = ShellToolSkillReference | ShellToolInlineSkill
ShellToolContainerNetworkPolicyDomainSecret: TypeAlias = api.ContainerNetworkPolicyDomainSecretParam
ShellToolContainerNetworkPolicyAllowlist: TypeAlias = api.ContainerNetworkPolicyAllowlistParam
ShellToolContainerNetworkPolicyDisabled: TypeAlias = api.ContainerNetworkPolicyDisabledParam
ShellToolContainerNetworkPolicy: TypeAlias = (
    ShellToolContainerNetworkPolicyAllowlist | ShellToolContainerNetworkPolicyDisabled
)
ShellToolLocalEnvironment: TypeAlias = api.LocalEnvironmentParam
ShellToolContainerAutoEnvironment: TypeAlias = api.ContainerAutoParam
ShellToolContainerReferenceEnvironment: TypeAlias = api.ContainerReferenceParam
ShellToolHostedEnvironment: TypeAlias = (
    ShellToolContainerAutoEnvironment | ShellToolContainerReferenceEnvironment
)
ShellToolEnvironment: TypeAlias = ShellToolLocalEnvironment | ShellToolHostedEnvironment
