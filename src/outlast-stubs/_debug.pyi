# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.debug import DONT_LOG_MODEL_DATA as DONT_LOG_MODEL_DATA
from outlast.definitions.debug import DONT_LOG_TOOL_DATA as DONT_LOG_TOOL_DATA
