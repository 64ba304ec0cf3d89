"""Types of sandboxes: what sessions with them take and give.

There is no sandbox yet. Programs that talk to one can be tested with
`outlast.testing.scripted_sandbox_session`.
"""

from __future__ import annotations

from outlast.sandbox.base_session import BaseSandboxSession, Manifest, SandboxSessionState
from outlast.sandbox.records import (
    EntryKind,
    ExecResult,
    FileEntry,
    FileMode,
    Group,
    Permissions,
    PtyExecUpdate,
    User,
)

__all__ = [
    "BaseSandboxSession",
    "EntryKind",
    "ExecResult",
    "FileEntry",
    "FileMode",
    "Group",
    "Manifest",
    "Permissions",
    "PtyExecUpdate",
    "SandboxSessionState",
    "User",
]
