# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.hosted_multi_agent import HostedAgentMetadata as HostedAgentMetadata
from outlast.extras.hosted_multi_agent import HostedMultiAgentConfig as HostedMultiAgentConfig
from outlast.extras.hosted_multi_agent import OpenAIHostedMultiAgentModel as OpenAIHostedMultiAgentModel
from outlast.extras.hosted_multi_agent import get_hosted_agent_metadata as get_hosted_agent_metadata
