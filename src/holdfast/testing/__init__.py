"""What tests of programs that use Holdfast need: a model that plays a script."""

from __future__ import annotations

from holdfast.testing.crashing import CrashingJournal
from holdfast.testing.scripted import ScriptedModel
from holdfast.testing.steps import (
    InvalidModelStep,
    ModelCall,
    ModelScriptError,
    ModelStep,
    ModelStepSpec,
    UnconsumedModelSteps,
    UnexpectedModelCall,
    assistant_message,
    function_call,
)

__all__ = [
    "CrashingJournal",
    "InvalidModelStep",
    "ModelCall",
    "ModelScriptError",
    "ModelStep",
    "ModelStepSpec",
    "ScriptedModel",
    "UnconsumedModelSteps",
    "UnexpectedModelCall",
    "assistant_message",
    "function_call",
]
