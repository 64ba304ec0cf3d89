"""The session with a sandbox, as programs use it, and the part of its manifest that is there.

Nothing here starts a sandbox: `outlast.testing.scripted_sandbox_session` plays one for tests.
"""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from outlast.core.errors import UserError
from outlast.sandbox.records import Group, User

if TYPE_CHECKING:
    from outlast.definitions.editor import ApplyPatchOperation
    from outlast.sandbox.records import ExecResult, FileEntry, PtyExecUpdate


class Manifest(BaseModel):
    """What a sandbox's workspace is made of: its root, and the users of its system.

    Files, mounts and variables of the environment are refused: nothing here would put them there.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    version: Literal[1] = 1
    root: str = "/workspace"
    users: list[User] = Field(default_factory=list[User])
    groups: list[Group] = Field(default_factory=list[Group])

    def describe(self) -> str:
        """The root, and below it nothing."""
        return f"{self.root}\n"


class SandboxSessionState(BaseModel):
    """What identifies a session with a sandbox."""

    type: str
    session_id: UUID = Field(default_factory=uuid4)
    manifest: Manifest = Field(default_factory=Manifest)
    exposed_ports: tuple[int, ...] = ()


class BaseSandboxSession(ABC):
    """Commands and files of one sandbox. ``async with`` starts it, and closes it at the end.

    A subclass performs what is abstract here. What it does not have stays an `UserError`.
    """

    state: SandboxSessionState

    async def start(self) -> None:  # noqa: B027  (nothing to do is right for many)
        """Make the workspace ready."""

    async def stop(self) -> None:  # noqa: B027  (nothing to do is right for many)
        """End what runs in the sandbox. May be called again."""

    async def shutdown(self) -> None:  # noqa: B027  (nothing to do is right for many)
        """Release what the sandbox holds."""

    async def aclose(self) -> None:
        """Stop and release."""
        try:
            await self.stop()
        finally:
            await self.shutdown()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    @abstractmethod
    async def running(self) -> bool:
        """Whether commands can be given."""

    @abstractmethod
    async def read(self, path: Path, *, user: str | User | None = None) -> IO[Any]:
        """The content of a file, as a stream."""

    @abstractmethod
    async def write(self, path: Path, data: IO[Any], *, user: str | User | None = None) -> None:
        """Put what a stream of bytes holds into a file."""

    @abstractmethod
    async def persist_workspace(self) -> IO[bytes]:
        """The whole workspace as an archive."""

    @abstractmethod
    async def hydrate_workspace(self, data: IO[bytes]) -> None:
        """Fill the workspace from an archive."""

    async def exec(
        self,
        *command: str | Path,
        timeout: float | None = None,
        shell: bool | list[str] = True,
        user: str | User | None = None,
    ) -> ExecResult:
        """Run a command. One text is a line for the shell; several are joined, each quoted.

        Args:
            command: What to run.
            timeout: Seconds after which the command is ended.
            shell: False runs the command itself; a list is the shell to use.
            user: Who runs it, in the sandbox's own system.
        """
        raise _missing(self, "exec", command, timeout, shell, user)

    async def ls(self, path: Path | str, *, user: str | User | None = None) -> list[FileEntry]:
        """The entries of a directory."""
        raise _missing(self, "ls", path, user)

    async def rm(
        self, path: Path | str, *, recursive: bool = False, user: str | User | None = None
    ) -> None:
        """Remove a file, or with ``recursive`` a directory."""
        raise _missing(self, "rm", path, recursive, user)

    async def mv(
        self, source: Path | str, destination: Path | str, *, user: str | User | None = None
    ) -> None:
        """Rename a file."""
        raise _missing(self, "mv", source, destination, user)

    async def mkdir(
        self, path: Path | str, *, parents: bool = False, user: str | User | None = None
    ) -> None:
        """Make a directory."""
        raise _missing(self, "mkdir", path, parents, user)

    async def same_file(
        self,
        left: Path | str,
        right: Path | str,
        *,
        follow_symlinks: bool = True,
        user: str | User | None = None,
    ) -> bool:
        """Whether two names are those of one file."""
        raise _missing(self, "same_file", left, right, follow_symlinks, user)

    async def apply_patch(
        self,
        operations: ApplyPatchOperation
        | dict[str, object]
        | list[ApplyPatchOperation | dict[str, object]],
        *,
        patch_format: Literal["v4a"] = "v4a",
    ) -> str:
        """Change files as a patch says, and tell what was done."""
        raise _missing(self, "apply_patch", operations, patch_format)

    async def pty_exec_start(
        self,
        *command: str | Path,
        timeout: float | None = None,
        shell: bool | list[str] = True,
        user: str | User | None = None,
        tty: bool = False,
        yield_time_s: float | None = None,
        max_output_tokens: int | None = None,
    ) -> PtyExecUpdate:
        """Start a process that can be talked to, and give what it printed at first."""
        raise _missing(
            self,
            "pty_exec_start",
            command,
            timeout,
            shell,
            user,
            tty,
            yield_time_s,
            max_output_tokens,
        )

    async def pty_write_stdin(
        self,
        *,
        session_id: int,
        chars: str,
        yield_time_s: float | None = None,
        max_output_tokens: int | None = None,
    ) -> PtyExecUpdate:
        """Type into a process, and give what it printed then."""
        raise _missing(self, "pty_write_stdin", session_id, chars, yield_time_s, max_output_tokens)

    async def pty_terminate_all(self) -> None:  # noqa: B027  (nothing to do is right for many)
        """End all processes that were started to be talked to."""

    def supports_pty(self) -> bool:
        """Whether processes can be started that are talked to."""
        return False

    def describe(self) -> str:
        """The workspace, in words."""
        return self.state.manifest.describe()

    def normalize_path(self, path: Path | str) -> Path:
        """``path`` in the workspace, from the root of the sandbox's system.

        Raises:
            UserError: It leads out of the workspace.
        """
        root = self.state.manifest.root
        there = posixpath.normpath(posixpath.join(root, Path(path).as_posix()))
        if there != root and not there.startswith(f"{root.rstrip('/')}/"):
            raise UserError(
                f"The path {Path(path).as_posix()!r} leads out of the workspace {root!r}. Give one inside."
            )
        return Path(there)


def _missing(session: BaseSandboxSession, operation: str, *call: object) -> UserError:
    del call
    return UserError(
        f"{type(session).__name__} has no operation {operation!r}. Use another session, or add "
        f"the method to this one."
    )
