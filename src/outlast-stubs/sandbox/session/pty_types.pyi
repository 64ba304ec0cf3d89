# Written by `python tests/public_names.py`. The module has no file.
from outlast.sandbox.records import EntryKind as EntryKind
from outlast.sandbox.records import ExecResult as ExecResult
from outlast.sandbox.records import FileEntry as FileEntry
from outlast.sandbox.records import FileMode as FileMode
from outlast.sandbox.records import Group as Group
from outlast.sandbox.records import Permissions as Permissions
from outlast.sandbox.records import PtyExecUpdate as PtyExecUpdate
from outlast.sandbox.records import User as User
