# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.client import Codex as Codex
