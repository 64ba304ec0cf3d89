"""A desk whose tools note that they ran."""

from collections.abc import Callable
from typing import Any

from outlast import Agent, GuardrailFunctionOutput, Model, function_tool, input_guardrail
from outlast.testing import ScriptedModel, assistant_message, function_call


class Desk:
    def __init__(self) -> None:
        self.ran: list[str] = []

    def script(self) -> ScriptedModel:
        return ScriptedModel(
            [
                [
                    function_call("look_up", {"order": "A-1"}, call_id="c1"),
                    function_call("look_up", {"order": "A-2"}, call_id="c2"),
                ],
                [function_call("refund", {"order": "A-1"}, call_id="c3")],
                [function_call("transfer_to_closer", {}, call_id="c4")],
                [assistant_message("refunded")],
            ]
        )

    def agent(
        self,
        model: Model | str = "no-such-model",
        *,
        instructions: str | Callable[..., Any] = "You refund orders.",
        refund: str = "refund",
        look_up_arguments: type[Any] = str,
    ) -> Agent[Any]:
        @input_guardrail
        async def harmless(context: Any, agent: Any, input: Any) -> GuardrailFunctionOutput:
            return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)

        def look_up(order: Any) -> str:
            self.ran.append(f"look_up {order}")
            return f"{order} is broken"

        look_up.__annotations__["order"] = look_up_arguments

        @function_tool(name_override=refund, needs_approval=True)
        def pay(order: str) -> str:
            self.ran.append(f"refund {order}")
            return "paid"

        closer = Agent(name="closer", instructions="You close.", model=model)
        return Agent(
            name="desk",
            instructions=instructions,
            tools=[function_tool(look_up), pay],
            handoffs=[closer],
            input_guardrails=[harmless],
            model=model,
        )
