"""What a sandbox's operations take and give: results, entries of directories, permissions, users."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import Enum, IntEnum

from pydantic import BaseModel, Field


@dataclass(kw_only=True)
class ExecResult:
    """What a command came to. A status other than 0 is no error of the sandbox."""

    stdout: bytes
    stderr: bytes
    exit_code: int

    def ok(self) -> bool:
        """Whether the command ended with status 0."""
        return self.exit_code == 0


@dataclass
class PtyExecUpdate:
    """What a process in a terminal has printed since the last look at it.

    ``process_id`` is None once it has ended, and ``exit_code`` until then. ``original_token_count``
    is how long the output was before it was cut, or None if it was not.
    """

    process_id: int | None
    output: bytes
    exit_code: int | None
    original_token_count: int | None


class FileMode(IntEnum):
    """What one kind of user may do with a file; add them up."""

    ALL = 7
    NONE = 0
    READ = 4
    WRITE = 2
    EXEC = 1


class Permissions(BaseModel):
    """Who may do what with a file, as `FileMode` says; prints as `ls -l` does."""

    owner: int = Field(default=7, ge=0, le=7)
    group: int = Field(default=0, ge=0, le=7)
    other: int = Field(default=0, ge=0, le=7)
    directory: bool = False

    def to_mode(self) -> int:
        """The bits as `os.stat` has them; of a file's kind, only that it is a directory."""
        return (
            (stat.S_IFDIR if self.directory else 0) | self.owner << 6 | self.group << 3 | self.other
        )

    @classmethod
    def from_mode(cls, mode: int) -> Permissions:
        """The permissions in the bits of `os.stat`."""
        return cls(
            owner=mode >> 6 & 7, group=mode >> 3 & 7, other=mode & 7, directory=stat.S_ISDIR(mode)
        )

    @classmethod
    def from_str(cls, text: str) -> Permissions:
        """The permissions that a text like ``drwxr-xr-x`` says.

        Raises:
            ValueError: It has not ten letters, or one that says nothing.
        """
        if len(text) != len("drwxrwxrwx"):
            raise ValueError(
                f"Permissions {text!r} have {len(text)} letters; expected ten, as in '-rw-r--r--'."
            )
        if any(
            letter not in (right, "-") for letter, right in zip(text, "drwxrwxrwx", strict=True)
        ):
            raise ValueError(f"Permissions {text!r} are none; expected letters as in 'drwxr-xr-x'.")
        bits = "".join("0" if letter == "-" else "1" for letter in text[1:])
        return cls.from_mode(int(bits, 2) | (stat.S_IFDIR if text[0] == "d" else 0))

    def __str__(self) -> str:
        return stat.filemode(self.to_mode() if self.directory else self.to_mode() | stat.S_IFREG)


class User(BaseModel):
    """A user of the sandbox's own system."""

    name: str

    def __hash__(self) -> int:
        return hash(self.name)


class Group(BaseModel):
    """Users of the sandbox's own system, by the name of their group."""

    name: str
    users: list[User]


class EntryKind(str, Enum):  # noqa: UP042  (a StrEnum prints another way than openai-agents')
    """What stands under a name in a directory."""

    DIRECTORY = "directory"
    FILE = "file"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(kw_only=True)
class FileEntry:
    """One entry of a directory in a sandbox."""

    path: str
    permissions: Permissions
    owner: str
    group: str
    size: int
    kind: EntryKind = EntryKind.FILE

    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.kind is EntryKind.DIRECTORY
