"""A check beside the first turn that stops a run before it acts.    python examples/guardrail.py

The guardrail and the model work at the same time; tools wait until the guardrail has passed.
"""

import asyncio
import os

from outlast import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    Runner,
    function_tool,
    input_guardrail,
)

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


@input_guardrail
async def no_secrets(ctx, agent, message) -> GuardrailFunctionOutput:
    """Trip on anything that looks like a password."""
    return GuardrailFunctionOutput(
        output_info="looked for passwords", tripwire_triggered="password" in str(message).lower()
    )


@function_tool
def write_note(text: str) -> str:
    """Write a note down."""
    return f"written: {text}"


agent = Agent(name="Notes", tools=[write_note], input_guardrails=[no_secrets], model=MODEL)


async def main() -> None:
    for message in ('Write the note "buy milk"', 'Write the note "my password is 1234"'):
        try:
            print((await Runner.run(agent, message)).final_output)
        except InputGuardrailTripwireTriggered as error:
            print("stopped by", error.guardrail_result.guardrail.get_name())


if __name__ == "__main__":
    asyncio.run(main())
