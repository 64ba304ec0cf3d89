# Written by `python tests/public_names.py`. The module has no file.
from outlast.sandbox.base_session import BaseSandboxSession as BaseSandboxSession
from outlast.sandbox.base_session import Manifest as Manifest
from outlast.sandbox.base_session import SandboxSessionState as SandboxSessionState
