"""What tests of programs that use Outlast need: a model that plays a script."""

from __future__ import annotations

from outlast.testing.cassette import RecordingModel
from outlast.testing.crashing import CrashingJournal
from outlast.testing.scripted import ScriptedModel
from outlast.testing.steps import (
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
    "RecordingModel",
    "ScriptedModel",
    "UnconsumedModelSteps",
    "UnexpectedModelCall",
    "assistant_message",
    "function_call",
]
