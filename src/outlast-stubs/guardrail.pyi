# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.guardrail import Check as Check
from outlast.definitions.guardrail import GuardrailFunctionOutput as GuardrailFunctionOutput
from outlast.definitions.guardrail import InputGuardrail as InputGuardrail
from outlast.definitions.guardrail import InputGuardrailResult as InputGuardrailResult
from outlast.definitions.guardrail import OutputGuardrail as OutputGuardrail
from outlast.definitions.guardrail import OutputGuardrailResult as OutputGuardrailResult
from outlast.definitions.guardrail import TContext_co as TContext_co
from outlast.definitions.guardrail import input_guardrail as input_guardrail
from outlast.definitions.guardrail import output_guardrail as output_guardrail
