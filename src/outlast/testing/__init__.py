"""What tests of programs that use Outlast need: a model and a sandbox that play a script."""

from __future__ import annotations

from outlast.testing.cassette import RecordingModel
from outlast.testing.crashing import CrashingJournal
from outlast.testing.sandbox import (
    InvalidSandboxStep,
    SandboxCall,
    SandboxCallMatcherError,
    SandboxScriptError,
    SandboxStepSpec,
    ScriptedSandboxSession,
    UnconsumedSandboxSteps,
    UnexpectedSandboxCall,
    scripted_sandbox_session,
)
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
    "InvalidSandboxStep",
    "ModelCall",
    "ModelScriptError",
    "ModelStep",
    "ModelStepSpec",
    "RecordingModel",
    "SandboxCall",
    "SandboxCallMatcherError",
    "SandboxScriptError",
    "SandboxStepSpec",
    "ScriptedModel",
    "ScriptedSandboxSession",
    "UnconsumedModelSteps",
    "UnconsumedSandboxSteps",
    "UnexpectedModelCall",
    "UnexpectedSandboxCall",
    "assistant_message",
    "function_call",
    "scripted_sandbox_session",
]
