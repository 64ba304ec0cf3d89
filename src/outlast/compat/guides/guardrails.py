"""How guides write guardrails, and what their functions return."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
from typing import Any, cast

from outlast.compat.guides.names import GuardrailFailureMode, GuardrailOutput
from outlast.compat.guides.patching import Patches
from outlast.definitions import guardrail as module
from outlast.definitions.guardrail import (
    Check,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
)
from outlast.definitions.logger import logger
from outlast.definitions.tool_guardrail import ToolInputGuardrailData

_MODES_THAT_PASS = ("log", "warn", "pass", "allow", "filter")


def teach(patches: Patches) -> None:
    """Teach guardrails the spellings of guides."""
    patches.wrap(Check, "found", _found)
    for kind in (InputGuardrail, OutputGuardrail):
        patches.wrap(kind, "__init__", _init)
        patches.add(kind, "__get__", _bound)
    for kind in (module.InputGuardrailResult, module.OutputGuardrailResult):
        patches.wrap(kind, "__init__", _result_init)
    patches.add(ToolInputGuardrailData, "input", property(_tool_input))


def _init(original: Any) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        kind = cast("Any", type(self))
        has_check = callable(getattr(kind, "check", None))
        if not args and "guardrail_function" not in options and has_check:
            options["guardrail_function"] = _checking(self)
            options.setdefault("name", type(self).__name__)
        original(self, *args, **options)

    return init


def _checking(guardrail: Any) -> Any:
    """`check(agent, input, context)` of a subclass as the function of a guardrail."""

    async def check(context: Any, agent: Any, subject: Any) -> Any:
        answer = guardrail.check(agent, subject, context)
        return await answer if inspect.isawaitable(answer) else answer

    return check


def _bound(self: Any, owner: Any, _: Any = None) -> Any:
    """A guardrail that was made of a method, with the object that it is asked of."""
    function = self.__dict__.get("guardrail_function")
    if owner is None or next(iter(_parameters(function)), "") != "self":
        return self
    bound = copy.copy(self)
    bound.guardrail_function = function.__get__(owner)
    return bound


def _parameters(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _found(original: Any) -> Any:
    async def found(self: Any, *args: Any) -> Any:
        function = self.guardrail_function
        agents_kind = len(args) > 1  # Guardrails of tools get one object.
        if agents_kind and callable(function) and len(_parameters(function)) == 1:
            answer = await original(self, _as_text(args[-1]))
        else:
            answer = await original(self, *args)
        return _judged(self, translated(answer)) if agents_kind else answer

    return found


def _as_text(subject: Any) -> Any:
    """Input as a text, for functions of (input_str)."""
    if not isinstance(subject, list):
        return subject
    items = cast("list[Any]", subject)
    contents = [each.get("content") for each in items if each.get("role") == "user"]
    texts = [each for each in contents if isinstance(each, str)]
    return texts[-1] if texts else json.dumps(items)


def translated(answer: Any) -> Any:
    """What a function of a guide returned, as `GuardrailFunctionOutput`; others stay."""
    if isinstance(answer, bool):
        return GuardrailFunctionOutput(None, tripwire_triggered=not answer)
    if isinstance(answer, GuardrailOutput):
        mode = (answer.behavior or {}).get("type", "")
        trips = answer.should_block or answer.content_filtered or bool(mode)
        info = {key: value for key, value in vars(answer).items() if value not in (None, False)}
        return GuardrailFunctionOutput(info, trips and mode not in _MODES_THAT_PASS)
    verdict = answer.__dict__.get("_guide_verdict") if hasattr(answer, "__dict__") else None
    if verdict is not None:
        return GuardrailFunctionOutput(verdict["info"], not verdict["passes"])
    return answer


def _judged(guardrail: Any, output: Any) -> Any:
    """What a `Guardrail` with `on_fail` makes of what its function found."""
    mode = guardrail.__dict__.get("on_fail")
    if mode is None or not output.tripwire_triggered:
        return output
    text = guardrail.__dict__.get("error_message")
    if text is not None:
        output = dataclasses.replace(output, output_info=text)
    if guardrail.__dict__.get("log"):
        logger.warning("Guardrail %s has found something.", guardrail.get_name())
    mode = mode.value if isinstance(mode, GuardrailFailureMode) else str(mode)
    return dataclasses.replace(output, tripwire_triggered=mode not in _MODES_THAT_PASS)


def _result_init(original: Any) -> Any:
    """`InputGuardrailResult(allowed=, message=)`: an answer, and not what a run found."""

    def init(self: Any, *args: Any, **options: Any) -> None:
        words = {"allowed", "did_pass"} & options.keys()
        if not words:
            original(self, *args, **options)
            return
        passes = bool(options[words.pop()])
        info = options.get("message", options.get("replacement"))
        self.__dict__["_guide_verdict"] = {"passes": passes, "info": info}
        self.__dict__.update(options)

    return init


def _tool_input(self: Any) -> Any:
    """The arguments of the call, decoded."""
    text = self.context.tool_arguments
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text
