# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.output import AgentOutputSchema as AgentOutputSchema
from outlast.definitions.output import AgentOutputSchemaBase as AgentOutputSchemaBase
