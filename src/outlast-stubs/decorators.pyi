# Written by `python tests/public_names.py`. The module has no file.
from outlast.compat.decorators import function_tool as function_tool
from outlast.compat.decorators import input_guardrail as input_guardrail
from outlast.compat.decorators import output_guardrail as output_guardrail
from outlast.compat.decorators import tool as tool
from outlast.compat.decorators import tool_input_guardrail as tool_input_guardrail
from outlast.compat.decorators import tool_output_guardrail as tool_output_guardrail
