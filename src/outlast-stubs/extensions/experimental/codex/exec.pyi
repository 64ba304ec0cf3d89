# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.process import CodexExec as CodexExec
from outlast.extras.codex.process import CodexExecArgs as CodexExecArgs
from outlast.extras.codex.process import DEFAULT_LIMIT as DEFAULT_LIMIT
from outlast.extras.codex.process import LIMIT_VARIABLE as LIMIT_VARIABLE
from outlast.extras.codex.process import command_line as command_line
from outlast.extras.codex.process import find_codex_path as find_codex_path
from outlast.extras.codex.process import stream_limit as stream_limit
