"""A provider for tests of programs: OpenAI's wire over real sockets, scripted, and able to fail."""

from __future__ import annotations

from outlast.testing.provider.faults import FAULTS, Fault, ProviderFault, fault, faults_for
from outlast.testing.provider.http import ProviderRequest
from outlast.testing.provider.script import (
    ScriptFileError,
    StatusError,
    load_script,
    reasoning,
    refusal,
)
from outlast.testing.provider.server import ProviderSettings, ScriptedProvider

__all__ = [
    "FAULTS",
    "Fault",
    "ProviderFault",
    "ProviderRequest",
    "ProviderSettings",
    "ScriptFileError",
    "ScriptedProvider",
    "StatusError",
    "fault",
    "faults_for",
    "load_script",
    "reasoning",
    "refusal",
]
